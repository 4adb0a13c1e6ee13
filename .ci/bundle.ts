/**
 * Bundles the Lambda functions: `node .ci/bundle.ts [folder]`, by default into `dist/lambda-bundles/<function>`. One folder
 * is one function's code, whole: ESM, in pieces, so that what a cold start does not need (S3's client) is not read at it.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { LIMITS } from "../lambdas/environment.ts";
import { DEFAULT_LIMITS } from "../lib/http/limits.ts";
import { describeApi } from "../lib/http/openapi.ts";
import { allOperations } from "../lib/http/routes/index.ts";
import { describeBeforehand, dropUnusedShapes, standIns } from "./slim.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const FUNCTIONS = ["api", "stream", "roll", "merge", "compact", "retain", "sweep"];
const WITH_HTTP: ReadonlySet<string> = new Set(["api", "stream"]);
export const BUNDLES: string = join(ROOT, "dist/lambda-bundles");

/** What no function has a use for: a region from an EC2 instance, and what names browsers. */
const NEVER_LOADED = ["@smithy/credential-provider-imds", "bowser"];

/** CommonJS parts of the SDK ask for Node's modules by `require`. */
const BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

export interface BundleSize {
  /** All of its code. */
  readonly bytes: number;
  /** What a cold start reads. */
  readonly loadedBytes: number;
}

/** Bundles all functions. */
export async function bundleLambdas(into: string = BUNDLES): Promise<Record<string, BundleSize>> {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  const sizes: Record<string, BundleSize> = {};
  for (const name of FUNCTIONS) {
    const folder = join(into, name);
    await rm(folder, { recursive: true, force: true });
    const { metafile } = await build({
      entryPoints: [{ in: join(ROOT, `lambdas/${name}.ts`), out: "index" }],
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      metafile: true,
      splitting: true,
      minify: true,
      format: "esm",
      platform: "node",
      target: "node24",
      // The SDK's ES modules are smaller than what its "node" condition names.
      mainFields: ["module", "main"],
      external: NEVER_LOADED,
      plugins: [dropUnusedShapes, describeBeforehand, standIns],
      banner: { js: BANNER },
      define: { "process.env.BROKERLESS_VERSION": JSON.stringify(version) },
      legalComments: "none",
      logLevel: "warning",
    });
    // Without it Node looks for the kind of module in every folder above.
    await writeFile(join(folder, "package.json"), '{"type":"module"}\n');
    sizes[name] = sizeOf(metafile.outputs);
    if (WITH_HTTP.has(name)) await writeFile(join(folder, "openapi.json"), openApi(version));
  }
  return sizes;
}

function openApi(version: string): string {
  const options = {
    limits: { ...DEFAULT_LIMITS, ...LIMITS },
    version,
    withMetrics: false,
    withKafka: true,
    withGroups: true,
    withTokens: true,
  };
  return JSON.stringify(describeApi(allOperations(options), version));
}

function sizeOf(outputs: Metafile["outputs"]): BundleSize {
  const loaded = new Set(Object.keys(outputs).filter((file) => file.endsWith("/index.mjs")));
  for (const file of loaded) {
    for (const { path, kind } of outputs[file]?.imports ?? [])
      if (kind === "import-statement" && path in outputs) loaded.add(path);
  }
  const bytesOf = (files: Iterable<string>): number => [...files].reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0);
  return { bytes: bytesOf(Object.keys(outputs)), loadedBytes: bytesOf(loaded) };
}

if (import.meta.main) {
  const kb = (bytes: number): number => Math.round(bytes / 1024);
  for (const [name, { bytes, loadedBytes }] of Object.entries(await bundleLambdas(process.argv[2])))
    process.stdout.write(`${name}: ${kb(bytes)} KB, of which a cold start reads ${kb(loadedBytes)}\n`);
}
