/** `brokerless serve` on a folder and two fixed addresses, which is killed and started again under its clients. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../.ci/emulators/process.ts";
import { type Child, startChild } from "./child.ts";

const BROKERLESS = join(import.meta.dirname, "../../../bin/brokerless.ts");

export interface Served {
  readonly url: string;
  /** `host:port` */
  readonly kafka: string;
  /** SIGKILL; answers the signal that ended it. */
  kill(): Promise<NodeJS.Signals | null>;
  restart(): Promise<void>;
  /** JSON over HTTP, or nothing; throws what is answered with 300 and above. */
  ask(path: string, body?: object): Promise<Record<string, unknown>>;
  createTopic(name: string, partitions: number): Promise<void>;
  /** What a group has committed, by partition; nothing where there is no such group. */
  committedOf(group: string): Promise<Map<number, number>>;
  /** Kills it and takes its folder away. */
  close(): Promise<void>;
}

export async function startServed(name: string, options: readonly string[] = []): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), `brokerless-${name}-`));
  const [http, kafka] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const url = `http://${http}`;
  const args = ["serve", "--http", http, "--kafka", kafka, "--data", folder, "--json", ...options];
  const start = async (): Promise<Child> => {
    const server = startChild(
      BROKERLESS,
      args,
      () => undefined,
      () => true,
    );
    await server.ready;
    return server;
  };
  let server = await start();
  const served: Served = {
    url,
    kafka,
    async kill() {
      server.kill();
      return (await server.ended).signal;
    },
    async restart() {
      server = await start();
    },
    async ask(path, body) {
      const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const reply = await fetch(`${url}${path}`, init);
      const text = await reply.text();
      if (reply.status >= 300) throw new Error(`${path}: ${reply.status} ${text}`);
      return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    },
    async createTopic(topic, partitions) {
      const { data } = (await served.ask("/v3/clusters")) as { data: { cluster_id: string }[] };
      await served.ask(`/v3/clusters/${data[0]?.cluster_id}/topics`, { topic_name: topic, partitions_count: partitions });
    },
    async committedOf(group) {
      const answer = await served.ask(`/v1/groups/${group}/offsets`).catch((error: Error) => {
        if (error.message.includes("unknown_group")) return { offsets: [] };
        throw error;
      });
      const { offsets } = answer as { offsets: { partition: number; offset: number }[] };
      return new Map(offsets.map(({ partition, offset }) => [partition, offset]));
    },
    async close() {
      await served.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return served;
}
