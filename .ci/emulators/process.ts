/** Starts an emulator as a child process and waits until it answers. */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Emulator {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export interface EmulatorCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment: an emulator passes it on to the Lambdas it runs. */
  readonly env: Readonly<Record<string, string>>;
  readonly endpoint: string;
  /** Answers 200, or 400 where there is nothing to ask for, once it is ready. */
  readonly healthPath: string;
  readonly readyWithinMs: number;
}

/** Runs it until `stop`; throws with the end of its output when it does not become ready. */
export async function startEmulator(emulator: EmulatorCommand): Promise<Emulator> {
  const { name, command, args, env, endpoint, healthPath, readyWithinMs } = emulator;
  const folder = await mkdtemp(join(tmpdir(), `brokerless-${name}-`));
  // Or a package.json in the folder above would say what kind of module the emulator's own scripts are.
  await writeFile(join(folder, "package.json"), "{}\n");
  const logPath = join(folder, "log");
  const log = createWriteStream(logPath);
  const child = spawn(command, args, { env: { ...env, TMPDIR: folder }, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    await exited;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  const until = Date.now() + readyWithinMs;
  for (;;) {
    const answered = await fetch(endpoint + healthPath).then(
      (response) => response.status < 500,
      () => false,
    );
    if (answered) return { endpoint, stop };
    if (Date.now() > until || child.exitCode !== null || child.pid === undefined) {
      const output = (await readFile(logPath, "utf8").catch(() => "")).slice(-2000);
      await stop();
      throw new Error(`${name} did not become ready at ${endpoint}:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Runs a command to its end and answers its output; throws with the end of it when it fails. A registry does not answer every
 * time: `tries` says how often to begin.
 */
export async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  { tries = 1, env }: { readonly tries?: number; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  await mkdir(cwd, { recursive: true });
  for (let left = tries - 1; ; left--) {
    const { code, output } = await runOnce(command, args, cwd, env);
    if (code === 0) return output;
    if (left <= 0) throw new Error(`${command} ${args.join(" ")} failed:\n${output.slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

async function runOnce(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> | undefined,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(command, args, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
    });
  }
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
    child.once("error", (error) => {
      output += error.message;
      resolve(-1);
    });
  });
  return { code, output };
}

/** A port that nobody listens at now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Keeps an emulator up until Ctrl-C, for a script that is run by hand. */
export async function serveUntilStopped(emulator: Emulator): Promise<void> {
  const settings = "AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test";
  process.stdout.write(`export AWS_ENDPOINT_URL=${emulator.endpoint} ${settings}\n`);
  const keepAlive = setInterval(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  clearInterval(keepAlive);
  await emulator.stop();
}
