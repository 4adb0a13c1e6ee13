/** Pythons on this machine, for the emulators that are written in it. */
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { CACHE } from "./cache.ts";
import { run } from "./process.ts";

type Version = readonly [number, number];

/** The command of a Python of at least this version. Throws, saying what was found, where there is none. */
export async function findPython([major, minor]: Version): Promise<string> {
  const found: string[] = [];
  for (const command of await candidates()) {
    const version = await versionOf(command);
    if (version === undefined) continue;
    if (version[0] === major && version[1] >= minor) return command;
    found.push(`${command} is ${version.join(".")}`);
  }
  const there = found.length === 0 ? "there is none" : found.join(", ");
  throw new Error(`Python ${major}.${minor} or newer is needed (${there}): install it, or put it first in PATH`);
}

/** In PATH by its usual names, and where pyenv keeps those that are not active. */
async function candidates(): Promise<string[]> {
  const pyenv = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const kept = await readdir(pyenv).catch(() => []);
  return [
    "python3",
    ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor}`),
    ...kept.toSorted().map((name) => join(pyenv, name, "bin/python3")),
  ];
}

async function versionOf(command: string): Promise<Version | undefined> {
  const output = await run(command, ["--version"], CACHE).catch(() => "");
  const [, major, minor] = /^Python (\d+)\.(\d+)/m.exec(output) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}

/** Throws with advice where Python comes without venv, as Debian's does. */
export async function makeVenv(python: string, folder: string): Promise<void> {
  try {
    await run(python, ["-m", "venv", folder], CACHE);
  } catch (error) {
    throw new Error(
      `${python} cannot make a virtual environment (Debian: apt-get install python3-venv): ${(error as Error).message}`,
    );
  }
}
