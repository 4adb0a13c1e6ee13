/** This program's version, as its package says. */
import { readFileSync } from "node:fs";

function packageVersion(): string {
  // Two folders up from here, or three in the compiled package.
  for (const up of ["../../package.json", "../../../package.json"]) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (name === "brokerless" && version !== undefined) return version;
    } catch {
      // Not there; the next one.
    }
  }
  return "0.0.0";
}

export const VERSION: string = packageVersion();
