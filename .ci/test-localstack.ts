/**
 * `npm run test:localstack [-- files]`: the suites of `test:aws` that need no Lambda, over LocalStack
 * without Docker. Says why where it cannot run here, and fails: whoever asks for it wants it to run.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { startLocalstack, whyNoLocalstack } from "./emulators/localstack.ts";
import { ROOT } from "./emulators/process.ts";

/** The last two are agents, `brokerless serve` over its DynamoDB and S3, that are produced to and consumed from over HTTP. */
const SUITES = ["contract", "log", "outcomes", "faults", "agent-faults", "bulk"];

const reason = await whyNoLocalstack();
if (reason === undefined) {
  const emulator = await startLocalstack();
  const files = process.argv.length > 2 ? process.argv.slice(2) : SUITES.map((name) => `test/aws/${name}.test.ts`);
  const child = spawn(
    process.execPath,
    [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "-c", "vitest.aws.config.ts", ...files],
    {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, AWS_ENDPOINT_URL: emulator.endpoint },
    },
  );
  process.exitCode = await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)));
  await emulator.stop();
} else {
  process.stderr.write(`LocalStack cannot run here: ${reason}\n`);
  process.exitCode = 1;
}
