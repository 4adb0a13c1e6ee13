/**
 * `npm run lock`: writes into package-lock.json the platform packages (os and cpu other than this machine's) that a partial
 * mirror of the registry left out, so that `npm ci` works on every platform. Their versions are exact: their parents
 * name them.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const OSES = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const CPUS = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "x64"];

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Entry> };
let added = 0;
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    const os = OSES.find((one) => name.includes(one));
    const cpu = CPUS.find((one) => name.includes(`-${one}`));
    if (lock.packages[path] !== undefined || os === undefined || cpu === undefined || !/^\d/.test(version)) continue;
    lock.packages[path] = { version, cpu: [cpu], ...(parent.dev === true ? { dev: true } : {}), optional: true, os: [os] };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added`);
