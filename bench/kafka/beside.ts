/** One server after the other, each over a folder of its own: ours, a Kafka that syncs each append, and Kafka as it comes. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startKafka } from "./broker.ts";
import { type MeasuredServer, startBrokerless } from "./servers.ts";

/** The folders are in `dir`, and go again. */
export async function eachServer(
  classPath: string,
  dir: string,
  measure: (server: MeasuredServer) => Promise<void>,
): Promise<void> {
  for (const start of [
    (folder: string) => startBrokerless(folder),
    (folder: string) => startKafka(classPath, folder, true),
    (folder: string) => startKafka(classPath, folder, false),
  ]) {
    const folder = mkdtempSync(join(dir, "data-"));
    const server = await start(folder);
    try {
      await measure(server);
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
