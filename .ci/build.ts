/** Compiles the package into `dist`, with the bundles of its Lambda functions: what `npm pack` ships. Fails on the first type error. */
import { execFileSync } from "node:child_process";
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleLambdas } from "./bundle.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit", cwd: root });

// The compiler rewrites the extensions of imports in code, and leaves those in declarations.
for (const name of globSync("**/*.d.ts", { cwd: dist })) {
  const path = join(dist, name);
  writeFileSync(path, readFileSync(path, "utf8").replace(/((?:from|import)\s*\(?\s*"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'));
}
chmodSync(join(dist, "bin", "brokerless.js"), 0o755);
// What the EventLog construct deploys.
await bundleLambdas();
