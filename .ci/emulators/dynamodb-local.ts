/**
 * DynamoDB Local, AWS's own emulator of DynamoDB, from Maven: `node .ci/emulators/dynamodb-local.ts [port]`. Needs Java 17
 * or newer and Maven. It listens on every address of the machine and takes any credentials: for tests alone.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, installOnce } from "./cache.ts";
import { type Emulator, freePort, run, serveUntilStopped, startEmulator } from "./process.ts";

const VERSION = "3.1.0";
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerless</groupId><artifactId>dynamodb-local</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`;

/** What keeps it from running here; undefined where it can. */
export async function whyNoDynamodbLocal(): Promise<string | undefined> {
  for (const command of ["java", "mvn"]) {
    const found = await run(command, ["-version"], CACHE).catch(() => undefined);
    if (found === undefined) return `there is no ${command}`;
    const java = /version "(\d+)/.exec(found)?.[1];
    if (command === "java" && Number(java) < 17) return `it needs Java 17 or newer; this is ${java}`;
  }
  return undefined;
}

/** Answers the class path. */
export async function installDynamodbLocal(): Promise<string> {
  const folder = join(CACHE, `dynamodb-local-${VERSION}`);
  const pathFile = await installOnce(folder, join(folder, "class-path.txt"), async (into) => {
    await mkdir(into, { recursive: true });
    await writeFile(join(into, "pom.xml"), POM);
    const args = ["-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=class-path.txt"];
    await run("mvn", args, into, { tries: 2 });
  });
  return readFile(pathFile, "utf8");
}

export async function startDynamodbLocal(port = 0): Promise<Emulator> {
  const classPath = await installDynamodbLocal();
  const at = port === 0 ? await freePort() : port;
  const main = "software.amazon.dynamodb.services.local.main.ServerRunner";
  return startEmulator({
    name: "dynamodb-local",
    command: "java",
    args: ["-Xmx512m", "-cp", classPath, main, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", String(at)],
    env: { HOME: process.env["HOME"] ?? "/", PATH: process.env["PATH"] ?? "" },
    endpoint: `http://127.0.0.1:${at}`,
    healthPath: "/",
    readyWithinMs: 60_000,
  });
}

if (import.meta.main) await serveUntilStopped(await startDynamodbLocal(Number(process.argv[2] ?? 8000)));
