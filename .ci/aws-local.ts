/**
 * `npm run aws:local`: an emulator of AWS on this machine, with the log deployed to it by plain `cdk`. Stays until Ctrl-C.
 * Uses the endpoint that `AWS_ENDPOINT_URL` names, and starts MiniStack where it names none. `-c name=value` is passed on
 * to `cdk`: `npm run aws:local -- -c target=localstack`.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleLambdas } from "./bundle.ts";
import { startMinistack } from "./emulators/ministack.ts";
import { ROOT, run, serveUntilStopped } from "./emulators/process.ts";

const ACCOUNT = "000000000000";
const REGION = "us-east-1";

export interface Deployment {
  /** Of the API, without a slash at the end. */
  readonly url: string;
  /** What the emulator knows the streaming URL by: its Host header. */
  readonly streamHost: string | undefined;
  readonly table: string;
  readonly bucket: string;
  readonly deployMs: number;
}

/** What `cdk` needs in an account, once. */
export async function bootstrap(endpoint: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-bootstrap-"));
  try {
    // Away from cdk.json: no app is needed, and so no bundles.
    await runCdk(endpoint, ["bootstrap", `aws://${ACCOUNT}/${REGION}`], folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bundles, and deploys to what is bootstrapped. Throws with the output of the command that failed. */
export async function deployTo(endpoint: string, context: readonly string[] = []): Promise<Deployment> {
  const stack = context.find((one) => one.startsWith("name="))?.slice(5) ?? "Brokerless";
  const folder = await mkdtemp(join(tmpdir(), "brokerless-deploy-"));
  try {
    const bundles = join(folder, "bundles");
    await bundleLambdas(bundles);
    const cdk = (...args: string[]): Promise<number> =>
      timed(() => runCdk(endpoint, [...args, "--build", "true", "--output", join(folder, "cdk.out")], ROOT));
    const outputsFile = join(folder, "outputs.json");
    const deployMs = await cdk(
      "deploy",
      stack,
      "--require-approval",
      "never",
      "--outputs-file",
      outputsFile,
      ...contextOf(endpoint, bundles, context),
    );
    const outputs = (JSON.parse(await readFile(outputsFile, "utf8")) as Record<string, Record<string, string>>)[stack] ?? {};
    const output = (name: string): string | undefined => Object.entries(outputs).find(([id]) => id.startsWith(`Log${name}`))?.[1];
    const streamUrl = output("StreamUrl");
    return {
      url: localUrl(endpoint, output("ApiUrl") ?? ""),
      streamHost: streamUrl === undefined ? undefined : new URL(streamUrl).host,
      table: output("TableName") ?? "",
      bucket: output("BucketName") ?? "",
      deployMs,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Deploys somebody else's app, of one stack: an example. */
export async function deployApp(endpoint: string, app: string, context: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-app-"));
  const told = context.flatMap((one) => ["-c", one]);
  const node = join(ROOT, "node_modules/.bin/node");
  const options = [
    "--app",
    `${node} ${app}`,
    "--build",
    "true",
    "--output",
    join(folder, "cdk.out"),
    "--require-approval",
    "never",
  ];
  try {
    await runCdk(endpoint, ["deploy", "--all", ...options, ...told], ROOT);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function contextOf(endpoint: string, bundles: string, context: readonly string[]): string[] {
  const all = ["dev=true", "auth=none", "insecure=true", `endpoint=${endpoint}`, `bundles=${bundles}`, ...context];
  return all.flatMap((one) => ["-c", one]);
}

/** Where the emulator serves what AWS has at a host of its own (`<id>.execute-api.…`). */
function localUrl(endpoint: string, url: string): string {
  const { host, pathname } = new URL(url);
  const id = host.split(".")[0];
  const stage = pathname.replaceAll("/", "");
  return stage === "" ? `${endpoint}/_aws/execute-api/${id}/$default` : `${endpoint}/restapis/${id}/${stage}/_user_request_`;
}

async function runCdk(endpoint: string, args: readonly string[], cwd: string): Promise<void> {
  const env = {
    PATH: `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    HOME: process.env["HOME"] ?? "/",
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    CDK_DISABLE_CLI_TELEMETRY: "true",
    CI: "true",
  };
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  await run("env", ["-i", ...settings, join(ROOT, "node_modules/.bin/cdk"), ...args], cwd);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return Math.round(performance.now() - startedMs);
}

if (import.meta.main) {
  const endpoint = process.env["AWS_ENDPOINT_URL"];
  const emulator = endpoint === undefined ? await startMinistack() : { endpoint, stop: async () => {} };
  try {
    const context = process.argv.slice(2).filter((one) => one !== "-c");
    await bootstrap(emulator.endpoint);
    const deployed = await deployTo(emulator.endpoint, context);
    const seconds = (deployed.deployMs / 1000).toFixed(1);
    process.stdout.write(
      `deployed in ${seconds} s\n` +
        `  API:        ${deployed.url}\n` +
        `  streaming:  ${emulator.endpoint}/ with the header Host: ${deployed.streamHost}\n` +
        `  table:      ${deployed.table}\n` +
        `  bucket:     ${deployed.bucket}\n` +
        `try: npm run demo -- --url '${deployed.url}'\n`,
    );
    if (endpoint === undefined) await serveUntilStopped(emulator);
  } catch (error) {
    await emulator.stop();
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
