/** The session of docs/security.md, run as it stands there. It needs a POSIX shell and curl. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { freePort } from "../../../.ci/emulators/process.ts";

const isMissing = spawnSync("sh", ["-c", "curl --version"]).status !== 0;

test.skipIf(isMissing)("the session does what it says", { timeout: 120_000 }, async () => {
  const page = await readFile("docs/security.md", "utf8");
  const [session] = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => match[1]);
  const folder = await mkdtemp(join(tmpdir(), "brokerless-security-"));
  try {
    const address = `127.0.0.1:${await freePort()}`;
    // In place of the shell that a function would stand between: $! must be the server's own.
    const bin = `alias_dir=$(mktemp -d ${folder}/bin.XXXX); printf '#!/bin/sh\\nexec "${process.execPath}" "${resolve("bin/brokerless.ts")}" "$@"\\n' > $alias_dir/brokerless; chmod +x $alias_dir/brokerless; PATH=$alias_dir:$PATH`;
    const { stdout } = await promisify(execFile)("sh", ["-ec", `${bin}\n${session}\nwait $SERVER`], {
      cwd: folder,
      env: { ...process.env, BROKERLESS_URL: `http://${address}`, BROKERLESS_HTTP: address },
    });
    expect(stdout).toMatch(/^order 1$/m);
    expect(stdout).toMatch(/^refused: this token lacks read/m);
    expect(stdout).toContain('"records":[{"offset":0');
    expect(stdout).toMatch(/ shop .* expires .* write on topic shop\.\*$/m);
    expect(stdout).toMatch(/^[a-z2-7]{8} revoked$/m);
    expect(stdout.match(/bkl_/g)).toBeNull();
  } finally {
    await rm(folder, { recursive: true });
  }
});
