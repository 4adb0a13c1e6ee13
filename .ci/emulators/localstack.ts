/**
 * LocalStack 4.14.0, the last that needs no token, without Docker: `node .ci/emulators/localstack.ts [port]`. It has DynamoDB
 * (DynamoDB Local, from Maven: needs Java 17, its JDK, and Maven), S3 and REST APIs this way; its Lambda needs Docker. Needs
 * Python 3.13 or newer (its DynamoDB and S3 say 3.12, and use what 3.13 brought).
 */
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { CACHE, installOnce } from "./cache.ts";
import { installDynamodbLocal, whyNoDynamodbLocal } from "./dynamodb-local.ts";
import { type Emulator, freePort, run, serveUntilStopped, startEmulator } from "./process.ts";
import { findPython, makeVenv } from "./python.ts";

const VERSION = "4.14.0";
/** Its dependencies have no upper bounds: those of its day are what it was tested with. */
const DEPENDENCIES_BEFORE = "2026-03-05";

/** What keeps it from running here; undefined where it can. */
export async function whyNoLocalstack(): Promise<string | undefined> {
  const noJava = await whyNoDynamodbLocal();
  if (noJava !== undefined) return noJava;
  for (const command of ["javac", "jar"])
    if ((await run(command, ["--version"], CACHE).catch(() => undefined)) === undefined) return `there is no ${command} (a JDK)`;
  return findPython([3, 13]).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

async function installPackage(): Promise<string> {
  const folder = join(CACHE, `localstack-${VERSION}`);
  return installOnce(folder, join(folder, "installed/bin/python"), async (into) => {
    const python = await findPython([3, 13]);
    const [tools, made] = [join(into, "tools"), join(into, "making")];
    await makeVenv(python, tools);
    // pip knows no way to leave out what is newer than a day.
    await run(join(tools, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", "uv"], CACHE, { tries: 2 });
    const uv = (...args: string[]): Promise<string> => run(join(tools, "bin/uv"), args, CACHE, { tries: 2 });
    await uv("venv", "--quiet", "--clear", "--python", python, made);
    const packages = `localstack-core[runtime]==${VERSION}`;
    await uv("pip", "install", "--quiet", "--python", join(made, "bin/python"), "--exclude-newer", DEPENDENCIES_BEFORE, packages);
    await symlink(made, join(into, "installed"));
  });
}

/** Lays out what LocalStack would download: DynamoDB Local as one jar, an agent for it that does nothing, and Java. */
async function layOutLibraries(root: string): Promise<void> {
  const classPath = await installDynamodbLocal();
  const libraries = join(root, "var/lib/localstack/lib");
  const [dynamodb, java, scratch] = [join(libraries, "dynamodb-local/2"), join(libraries, "java"), join(root, "scratch")];
  for (const folder of [dynamodb, java, scratch]) await mkdir(folder, { recursive: true });
  const jars = classPath
    .trim()
    .split(":")
    .map((jar) => pathToFileURL(jar).href);
  const main = "software.amazon.dynamodb.services.local.main.ServerRunner";
  await writeFile(join(scratch, "main.txt"), `Main-Class: ${main}\n${manifestLine(`Class-Path: ${jars.join(" ")}`)}\n`);
  await writeFile(join(scratch, "agent.txt"), "Premain-Class: Agent\n");
  await writeFile(join(scratch, "Agent.java"), "public class Agent { public static void premain(String options) {} }\n");
  await run("javac", ["Agent.java"], scratch);
  await run("jar", ["cfm", join(dynamodb, "DynamoDBLocal.jar"), "main.txt"], scratch);
  await run("jar", ["cfm", join(dynamodb, "ddb-local-loader-0.1.jar"), "agent.txt", "Agent.class"], scratch);
  await symlink(await javaHome(), join(java, "21"));
}

/** A line of a jar's manifest has at most 72 bytes; what is longer goes on after a space. */
function manifestLine(text: string): string {
  return text.replace(/^.{70}|.{69}/g, "$&\n ").trimEnd();
}

async function javaHome(): Promise<string> {
  const settings = await run("java", ["-XshowSettings:properties", "-version"], CACHE);
  const home = /java\.home = (.+)/.exec(settings)?.[1];
  if (home === undefined) throw new Error("java does not say where it is");
  return home.trim();
}

export async function startLocalstack(port = 0): Promise<Emulator> {
  const python = await installPackage();
  const root = join(CACHE, `localstack-${VERSION}`, "root");
  await rm(root, { recursive: true, force: true });
  await layOutLibraries(root);
  const at = port === 0 ? await freePort() : port;
  return startEmulator({
    name: "localstack",
    command: python,
    args: ["-m", "localstack.runtime.main"],
    env: {
      HOME: process.env["HOME"] ?? "/",
      PATH: `${dirname(python)}:${process.env["PATH"] ?? ""}`,
      OVERRIDE_IN_DOCKER: "0",
      GATEWAY_SERVER: "hypercorn",
      GATEWAY_LISTEN: `127.0.0.1:${at}`,
      DNS_ADDRESS: "0",
      // Else DynamoDB Local is started by the first request, which has not the time for it.
      SERVICES: "dynamodb,s3",
      EAGER_SERVICE_LOADING: "1",
      DISABLE_EVENTS: "1",
      SKIP_SSL_CERT_DOWNLOAD: "1",
      FILESYSTEM_ROOT: root,
    },
    endpoint: `http://127.0.0.1:${at}`,
    healthPath: "/_localstack/health",
    readyWithinMs: 60_000,
  });
}

if (import.meta.main) await serveUntilStopped(await startLocalstack(Number(process.argv[2] ?? 4566)));
