/**
 * MiniStack, an emulator of AWS in Python, without Docker: `node .ci/emulators/ministack.ts [port]`. Installed once, into
 * a virtual environment in node_modules/.cache. Needs python3 (3.10 or newer) with venv.
 */
import { join } from "node:path";
import { CACHE, installOnce } from "./cache.ts";
import { type Emulator, freePort, ROOT, run, serveUntilStopped, startEmulator } from "./process.ts";
import { findPython, makeVenv } from "./python.ts";

const VERSION = "1.5.33";

async function install(): Promise<string> {
  const folder = join(CACHE, `ministack-${VERSION}`);
  return installOnce(folder, join(folder, "bin/ministack"), async (into) => {
    await makeVenv(await findPython([3, 10]), into);
    const pip = ["install", "--quiet", "--disable-pip-version-check", `ministack==${VERSION}`];
    await run(join(into, "bin/pip"), pip, CACHE, { tries: 2 });
  });
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
