/** Where emulators are kept between runs, and how they get there whole. */
import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./process.ts";

/** Downloads that outlive a run; not in git. */
export const CACHE: string = join(ROOT, "node_modules/.cache/brokerless");

/**
 * Answers `made`, a file in `folder`; where it is not there, `install` fills the folder first. What was left half done is
 * not taken for the whole the next time.
 */
export async function installOnce(folder: string, made: string, install: (into: string) => Promise<void>): Promise<string> {
  if (await exists(made)) return made;
  await rm(folder, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  try {
    await install(folder);
  } catch (error) {
    await rename(folder, `${folder}.failed`).catch(() => undefined);
    await rm(`${folder}.failed`, { recursive: true, force: true });
    throw error;
  }
  return made;
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
