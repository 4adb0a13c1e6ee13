#!/usr/bin/env node
/** The command line. Node 22.15 is the first with everything that is used: node:sqlite without a flag, zstd in node:zlib. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 15)) {
  process.stderr.write(`brokerless: it needs Node 22.15 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
// What was compiled once is kept for the next start.
(await import("node:module")).enableCompileCache?.();
const [{ runCli }, { processIo }, { VERSION }] = await Promise.all([
  import("../lib/cli/program.ts"),
  import("../lib/cli/process-io.ts"),
  import("../lib/server/version.ts"),
]);
// What a command wrote was taken when it ends; a terminal that is still being read must not keep the process alive.
process.exit(await runCli(process.argv.slice(2), processIo(), VERSION));

export {};
