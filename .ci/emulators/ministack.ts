/**
 * MiniStack, an emulator of AWS in Python, without Docker: `node .ci/emulators/ministack.ts [port]`. Installed once, into
 * a virtual environment in node_modules/.cache. Needs python3 (3.10 or newer) with venv.
 */
import { access, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, type Emulator, freePort, ROOT, run, serveUntilStopped, startEmulator } from "./process.ts";

const VERSION = "1.5.33";

async function install(): Promise<string> {
  const folder = join(CACHE, `ministack-${VERSION}`);
  const command = join(folder, "bin/ministack");
  const isThere = await access(command).then(
    () => true,
    () => false,
  );
  if (isThere) return command;
  await rm(folder, { recursive: true, force: true });
  try {
    await run("python3", ["-m", "venv", folder], CACHE);
    await run(join(folder, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", `ministack==${VERSION}`], CACHE);
  } catch (error) {
    // Half of it must not be taken for the whole next time.
    await rename(folder, `${folder}.failed`).catch(() => undefined);
    await rm(`${folder}.failed`, { recursive: true, force: true });
    throw error;
  }
  return command;
}

export async function startMinistack(port = 0): Promise<Emulator> {
  const command = await install();
  const at = port === 0 ? await freePort() : port;
  return startEmulator({
    name: "ministack",
    command,
    args: [],
    env: {
      HOME: process.env["HOME"] ?? "/",
      // Lambdas run on the first `node` in here: the one that comes with the project.
      PATH: `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(at),
      SFTP_ENABLED: "0",
      IOT_MTLS_ENABLED: "0",
      LAMBDA_ACCOUNT_CONCURRENCY: "16",
      NODE_OPTIONS: `--import=${new URL("streaming.mjs", import.meta.url)}`,
    },
    endpoint: `http://127.0.0.1:${at}`,
    healthPath: "/_ministack/health",
    readyWithinMs: 30_000,
  });
}

if (import.meta.main) await serveUntilStopped(await startMinistack(Number(process.argv[2] ?? 4566)));
