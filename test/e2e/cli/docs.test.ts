/** The session of docs/cli.md, run as it stands there. It needs a POSIX shell. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { EXIT_CODES_HELP } from "../../../lib/cli/exit-codes.ts";
import { CONFIG_KEYS, envName, flagName } from "../../../lib/server/config.ts";
import { memoryServer } from "../client/server.ts";

const page = await readFile("docs/cli.md", "utf8");

test.skipIf(spawnSync("sh", ["-c", "true"]).status !== 0)(
  "every command of the session succeeds",
  { timeout: 120_000 },
  async () => {
    const server = await memoryServer();
    const folder = await mkdtemp(join(tmpdir(), "brokerless-docs-"));
    try {
      const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => match[1]);
      expect(blocks.length).toBeGreaterThan(4);
      const brokerless = `brokerless() { "${process.execPath}" "${resolve("bin/brokerless.ts")}" "$@"; }`;
      const { stdout } = await promisify(execFile)("sh", ["-ec", `${brokerless}\n${blocks.join("\n")}`], {
        cwd: folder,
        env: { ...process.env, BROKERLESS_URL: server.url },
      });
      expect(stdout).toContain("(5 bytes)");
      expect(stdout).toContain('"records":0,"bytes":0,"complete":true');
      expect(stdout.trim().endsWith("clicks is not there")).toBe(true);
    } finally {
      await server.close();
      await rm(folder, { recursive: true });
    }
  },
);

test("every setting of the server, and every exit code, is in the page", () => {
  for (const { key, default: value } of CONFIG_KEYS) {
    const shown = value === undefined || Array.isArray(value) ? "none" : String(value);
    expect(page.replaceAll("`", "")).toContain(`| ${flagName(key)} | ${envName(key)} | ${shown} |`);
  }
  for (const [code] of EXIT_CODES_HELP.matchAll(/^ {2}(\d+)/gm)) expect(page).toMatch(new RegExp(`^\\| ${code.trim()}\\b`, "m"));
});
