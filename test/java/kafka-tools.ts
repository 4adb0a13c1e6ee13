/** Kafka's own DumpLogSegments, of the tools that `npm run test:clients` has too. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** What `kafka-dump-log` prints of segment files, record by record. */
export async function dumpLogSegments(classPath: string, files: readonly string[]): Promise<string> {
  const args = ["--deep-iteration", "--print-data-log", "--files", files.join(",")];
  const { stdout } = await promisify(execFile)("java", ["-cp", classPath, "org.apache.kafka.tools.DumpLogSegments", ...args], {
    maxBuffer: 2 ** 28,
  });
  return stdout;
}
