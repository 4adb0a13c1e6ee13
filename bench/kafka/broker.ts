/** A real Kafka 4 of one node, out of its Maven jars: what we are measured beside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installKafka } from "../../.ci/clients/install.ts";
import { freePort } from "../../.ci/emulators/process.ts";
import { type MeasuredServer, memoryMegabytes } from "./servers.ts";

/** The class path of Kafka's jars. Throws where Java or Maven is missing. */
export async function kafkaClassPath(): Promise<string> {
  const kafka = await installKafka();
  if (kafka.missing !== undefined) throw new Error(`${kafka.missing}: Kafka cannot be measured`);
  return kafka.classPath.trim();
}

const QUIET = `<Configuration><Loggers><Root level="OFF"/></Loggers></Configuration>`;

/**
 * Starts it with its data in `folder`. `flush`: every append is on the disk before it is acknowledged, as with us; without, it
 * is acknowledged out of the page cache, as Kafka comes.
 */
export async function startKafka(classPath: string, folder: string, flush: boolean): Promise<MeasuredServer> {
  mkdirSync(folder, { recursive: true });
  const [port, controllerPort] = [await freePort(), await freePort()];
  const properties = join(folder, "server.properties");
  const settings = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(folder, "data"),
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    // As `brokerless serve` comes.
    "group.initial.rebalance.delay.ms": 300,
    "max.connections.per.ip": 100_000,
    ...(flush ? { "log.flush.interval.messages": 1 } : {}),
  };
  writeFileSync(
    properties,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const logging = join(folder, "log4j2.xml");
  writeFileSync(logging, QUIET);
  const output = openSync(join(folder, "output.log"), "a");
  const java = (main: string, ...args: string[]) =>
    spawn("java", ["-Xmx1g", "-Xms1g", `-Dlog4j2.configurationFile=${logging}`, "-cp", classPath, main, ...args], {
      stdio: ["ignore", output, output],
    });
  const formatted = java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", properties);
  const [code] = await once(formatted, "exit");
  if (code !== 0) throw new Error(`formatting Kafka's storage failed: ${readFileSync(join(folder, "output.log"), "utf8")}`);
  const child = java("kafka.Kafka", properties);
  return {
    name: flush ? "Kafka, flush=1" : "Kafka",
    kafka: `127.0.0.1:${port}`,
    memoryMegabytes: () => memoryMegabytes(child.pid),
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
