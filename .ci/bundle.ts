/**
 * Bundles the Lambda functions: `node .ci/bundle.ts [folder]`, by default into `dist/lambda-bundles/<function>`. One folder
 * is one function's code, whole: ESM, in pieces, so that what a cold start does not need (S3's client) is not read at it.
 * `--largest 30`: also the packages, folders and files that most of a cold start of `api` is.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, type Metafile } from "esbuild";
import { LIMITS } from "../lambdas/environment.ts";
import { DEFAULT_LIMITS } from "../lib/http/limits.ts";
import { describeApi } from "../lib/http/openapi.ts";
import { allOperations, operationsOf } from "../lib/http/routes/index.ts";
import { describeBeforehand, dropUnusedShapes, standIns } from "./slim.ts";
import { straightImports } from "./straight-imports.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const FUNCTIONS = ["api", "stream", "roll", "merge", "compact", "retain", "sweep", "lag", "expire", "queues", "transactions"];
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
  /** That, by source file. */
  readonly loadedOf: ReadonlyMap<string, number>;
}

/** Bundles all functions. */
export async function bundleLambdas(into: string = BUNDLES): Promise<Record<string, BundleSize>> {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  const sizes: Record<string, BundleSize> = {};
  const straight = straightImports();
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
      plugins: [dropUnusedShapes, describeBeforehand, standIns, straight],
      banner: { js: BANNER },
      define: { "process.env.BROKERLESS_VERSION": JSON.stringify(version) },
      legalComments: "none",
      logLevel: "warning",
    });
    // Without it Node looks for the kind of module in every folder above.
    await writeFile(join(folder, "package.json"), '{"type":"module"}\n');
    sizes[name] = sizeOf(metafile.outputs);
    if (WITH_HTTP.has(name)) await writeFile(join(folder, "openapi.json"), await openApi(version));
  }
  return sizes;
}

async function openApi(version: string): Promise<string> {
  const options = {
    limits: { ...DEFAULT_LIMITS, ...LIMITS },
    version,
    withMetrics: false,
    withKafka: true,
    withGroups: true,
    withShares: true,
    withLag: true,
    withTokens: true,
  };
  return JSON.stringify(await describeApi(() => allOperations(operationsOf(options)), version));
}

function sizeOf(outputs: Metafile["outputs"]): BundleSize {
  const loaded = new Set(Object.keys(outputs).filter((file) => file.endsWith("/index.mjs")));
  for (const file of loaded) {
    for (const { path, kind } of outputs[file]?.imports ?? [])
      if (kind === "import-statement" && path in outputs) loaded.add(path);
  }
  const bytesOf = (files: Iterable<string>): number => [...files].reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0);
  const loadedOf = new Map<string, number>();
  for (const file of loaded) {
    for (const [source, { bytesInOutput }] of Object.entries(outputs[file]?.inputs ?? {}))
      loadedOf.set(source, (loadedOf.get(source) ?? 0) + bytesInOutput);
  }
  return { bytes: bytesOf(Object.keys(outputs)), loadedBytes: bytesOf(loaded), loadedOf };
}

/** A package, or a folder of ours. */
function partOf(source: string): string {
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1];
  return inPackage ?? source.split("/").slice(0, 2).join("/");
}

function largest(bytesOf: ReadonlyMap<string, number>, most: number): string {
  const lines = [...bytesOf].toSorted(([, a], [, b]) => b - a).slice(0, most);
  return lines.map(([name, bytes]) => `${String(bytes).padStart(8)}  ${name.replace(/.*node_modules\//, "")}\n`).join("");
}

if (import.meta.main) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { largest: { type: "string" } } });
  const kb = (bytes: number): number => Math.round(bytes / 1024);
  const sizes = await bundleLambdas(positionals[0]);
  for (const [name, { bytes, loadedBytes }] of Object.entries(sizes))
    process.stdout.write(`${name}: ${kb(bytes)} KB, of which a cold start reads ${kb(loadedBytes)}\n`);
  if (values.largest !== undefined) {
    const { loadedOf } = sizes["api"] as BundleSize;
    const parts = new Map<string, number>();
    for (const [source, bytes] of loadedOf) parts.set(partOf(source), (parts.get(partOf(source)) ?? 0) + bytes);
    process.stdout.write(`\n${largest(parts, Number(values.largest))}\n${largest(loadedOf, Number(values.largest))}`);
  }
}
