/**
 * DynamoDB Local, AWS's own emulator of DynamoDB, from Maven: `node .ci/emulators/dynamodb-local.ts [port]`. Needs Java 17
 * or newer and Maven. It listens on every address of the machine and takes any credentials: for tests alone.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, type Emulator, freePort, run, serveUntilStopped, startEmulator } from "./process.ts";

const VERSION = "3.1.0";
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>brokerless</groupId><artifactId>dynamodb-local</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`;

/** Is there what it needs? */
export async function canRunDynamodbLocal(): Promise<boolean> {
  try {
    await Promise.all([run("java", ["-version"], CACHE), run("mvn", ["-version"], CACHE)]);
    return true;
  } catch {
    return false;
  }
}

/** Answers the class path. */
async function install(): Promise<string> {
  const folder = join(CACHE, `dynamodb-local-${VERSION}`);
  const pathFile = join(folder, "class-path.txt");
  const known = await readFile(pathFile, "utf8").catch(() => "");
  if (known !== "") return known;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "pom.xml"), POM);
  await run("mvn", ["-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=class-path.txt"], folder);
  return readFile(pathFile, "utf8");
}

export async function startDynamodbLocal(port = 0): Promise<Emulator> {
  const classPath = await install();
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
