/** Kafka's own command line tools, from Maven, where Java and Maven are there. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CACHE, installOnce } from "../../.ci/emulators/cache.ts";
import { run } from "../../.ci/emulators/process.ts";

const KAFKA = "4.1.0";
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerless</groupId><artifactId>kafka-tools</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA}</version></dependency>
  </dependencies>
</project>
`;

/** What keeps them from running here; undefined where they can. */
export async function whyNoKafkaTools(): Promise<string | undefined> {
  for (const command of ["java", "mvn"]) {
    if ((await run(command, ["-version"], CACHE).catch(() => undefined)) === undefined) return `there is no ${command}`;
  }
  return undefined;
}

/** Answers the class path. */
export async function installKafkaTools(): Promise<string> {
  const folder = join(CACHE, `kafka-tools-${KAFKA}`);
  const pathFile = await installOnce(folder, join(folder, "class-path.txt"), async (into) => {
    await mkdir(into, { recursive: true });
    await writeFile(join(into, "pom.xml"), POM);
    await run("mvn", ["-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=class-path.txt"], into, { tries: 2 });
  });
  return (await readFile(pathFile, "utf8")).trim();
}

/** What `kafka-dump-log` prints of segment files, record by record. */
export async function dumpLogSegments(classPath: string, files: readonly string[]): Promise<string> {
  const args = ["--deep-iteration", "--print-data-log", "--files", files.join(",")];
  const { stdout } = await promisify(execFile)("java", ["-cp", classPath, "kafka.tools.DumpLogSegments", ...args], {
    maxBuffer: 2 ** 28,
  });
  return stdout;
}
