/**
 * Bundles the Lambda functions: `node .ci/bundle.ts [folder]`, by default into `dist/lambda-bundles/<function>`. One folder
 * is one function's code, whole: ESM, in pieces, so that what a cold start does not need (the SDK's other ways to find
 * credentials) is not read at it.
 */
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const FUNCTIONS = ["api", "stream", "roll", "retain", "sweep"];
export const BUNDLES: string = join(ROOT, "dist/lambda-bundles");

/**
 * Ways to find credentials that no function has a use for: Lambda hands them over in the environment (or by a local URL, which
 * stays). And what names browsers.
 */
const NEVER_LOADED = [
  "@aws-sdk/credential-provider-ini",
  "@aws-sdk/credential-provider-process",
  "@aws-sdk/credential-provider-sso",
  "@aws-sdk/credential-provider-web-identity",
  "@smithy/credential-provider-imds",
  "bowser",
];

/** CommonJS parts of the SDK ask for Node's modules by `require`. */
const BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** Bundles all functions and answers the bytes of each folder. */
export async function bundleLambdas(into: string = BUNDLES): Promise<Record<string, number>> {
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  const sizes: Record<string, number> = {};
  for (const name of FUNCTIONS) {
    const folder = join(into, name);
    await rm(folder, { recursive: true, force: true });
    await build({
      entryPoints: [{ in: join(ROOT, `lambdas/${name}.ts`), out: "index" }],
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      minify: true,
      format: "esm",
      platform: "node",
      target: "node24",
      // The SDK's ES modules are smaller than what its "node" condition names.
      mainFields: ["module", "main"],
      external: NEVER_LOADED,
      banner: { js: BANNER },
      define: { "process.env.BROKERLESS_VERSION": JSON.stringify(version) },
      legalComments: "none",
      logLevel: "warning",
    });
    // Without it Node looks for the kind of module in every folder above.
    await writeFile(join(folder, "package.json"), '{"type":"module"}\n');
    sizes[name] = await folderBytes(folder);
  }
  return sizes;
}

async function folderBytes(folder: string): Promise<number> {
  const files = await readdir(folder);
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

if (import.meta.main) {
  for (const [name, sizeBytes] of Object.entries(await bundleLambdas(process.argv[2])))
    process.stdout.write(`${basename(name)}: ${Math.round(sizeBytes / 1024)} KB\n`);
}
