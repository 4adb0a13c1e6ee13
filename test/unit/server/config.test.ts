import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { authFor, isLoopback, parseAddress } from "../../../lib/server/address.ts";
import { CONFIG_KEYS, envName, flagName, loadConfig, resolveConfig } from "../../../lib/server/index.ts";

function refusal(run: () => unknown): BrokerlessError {
  try {
    run();
  } catch (error) {
    if (error instanceof BrokerlessError) return error;
    throw error;
  }
  throw new Error("taken");
}

describe("where settings come from", () => {
  test("flags go before the environment, that before the file, that before the defaults", () => {
    const file = { name: "f.json", values: { data: "from-file", http: "127.0.0.1:1", shutdownTimeoutMs: 1 } };
    const env = { BROKERLESS_DATA: "from-env", BROKERLESS_HTTP: "127.0.0.1:2", PATH: "/bin" };
    const config = resolveConfig({ file, env, flags: { data: "from-flag", storage: undefined } });
    expect(config).toMatchObject({
      data: "from-flag",
      http: { host: "127.0.0.1", port: 2 },
      shutdownTimeoutMs: 1,
      storage: "embedded",
      insecure: false,
      cors: [],
      maxBodyBytes: 16 * 1024 * 1024,
    });
  });

  test("text of flags and environment becomes the type that is wanted", () => {
    const env = {
      BROKERLESS_INSECURE: "true",
      BROKERLESS_CORS: "https://a.example, https://b.example",
      BROKERLESS_MAX_BODY_BYTES: "2048",
    };
    expect(resolveConfig({ env })).toMatchObject({
      insecure: true,
      cors: ["https://a.example", "https://b.example"],
      maxBodyBytes: 2048,
    });
    expect(resolveConfig({ flags: { insecure: true, cors: "*", shutdownTimeoutMs: "5" } })).toMatchObject({
      insecure: true,
      cors: ["*"],
      shutdownTimeoutMs: 5,
    });
  });

  test("what belongs to AWS is taken with storage aws alone", () => {
    const flags = { table: "t", bucket: "b", region: "eu-west-1", endpoint: "http://127.0.0.1:4566", jobs: "false" };
    expect(resolveConfig({ flags: { ...flags, storage: "aws" } })).toMatchObject({ ...flags, storage: "aws", jobs: false });
    expect(refusal(() => resolveConfig({ flags: { table: "t" } })).message).toBe(
      "--table is for storage aws; the storage is embedded",
    );
    expect(refusal(() => resolveConfig({ flags: { storage: "aws", endpoint: "here" } })).message).toMatch(
      /^--endpoint: .*"here"$/,
    );
    expect(resolveConfig({ flags: {} }).jobs).toBe(true);
  });

  test("every key has a flag, a variable, a meaning and a default that holds", () => {
    for (const { key, description } of CONFIG_KEYS) {
      expect(description).not.toBe("");
      expect(envName(key)).toMatch(/^BROKERLESS_[A-Z_]+$/);
      expect(flagName(key)).toMatch(/^--[a-z-]+$/);
    }
    expect(envName("maxInFlightBytes")).toBe("BROKERLESS_MAX_IN_FLIGHT_BYTES");
    expect(flagName("maxInFlightBytes")).toBe("--max-in-flight-bytes");
  });

  test.each([
    [{ flags: { prot: "1" } }, /^--prot is not known; the server knows http, kafka/],
    [{ env: { BROKERLESS_PORT: "1" } }, /^BROKERLESS_PORT is not known/],
    [{ file: { name: "f.json", values: { htttp: "x" } } }, /^f.json: htttp is not known/],
    [{ file: { name: "f.json", values: [] } }, /^f.json: the config file must hold one JSON object/],
    [{ flags: { storage: "floppy" } }, /^--storage: .*; it is "floppy"$/],
    [{ env: { BROKERLESS_INSECURE: "maybe" } }, /^BROKERLESS_INSECURE: .*; it is "maybe"$/],
    [{ flags: { maxBodyBytes: "1k" } }, /^--max-body-bytes: .*; it is "1k"$/],
    [{ flags: { maxBodyBytes: "5" } }, /^--max-body-bytes: .*1024.*; it is 5$/],
    [{ file: { name: "f.json", values: { shutdownTimeoutMs: -1 } } }, /^f.json: shutdownTimeoutMs: /],
    [{ flags: { http: "nowhere" } }, /^--http: an address is host:port/],
    [{ env: { BROKERLESS_HTTP: "127.0.0.1:70000" } }, /^BROKERLESS_HTTP: .*0 to 65535/],
  ])("%j is refused by name", (sources, message) => {
    const error = refusal(() => resolveConfig(sources));
    expect([error.code, error.message]).toEqual(["invalid_config", expect.stringMatching(message)]);
  });

  test("variables that are someone else's are left alone when they are said to be", () => {
    expect(resolveConfig({ env: { BROKERLESS_URL: "http://x" }, otherEnv: ["BROKERLESS_URL"] }).storage).toBe("embedded");
  });

  test("the file is the one named, else brokerless.json where it is", async () => {
    const folder = await mkdtemp(join(tmpdir(), "brokerless-config-"));
    expect((await loadConfig({ cwd: folder })).data).toBe("./data");
    await writeFile(join(folder, "brokerless.json"), '{"data":"here"}');
    expect((await loadConfig({ cwd: folder })).data).toBe("here");
    const other = join(folder, "other.json");
    await writeFile(other, '{"data":"there"}');
    expect((await loadConfig({ cwd: folder, configFile: other })).data).toBe("there");
    expect((await loadConfig({ cwd: folder, env: { BROKERLESS_CONFIG: other } })).data).toBe("there");
    await expect(loadConfig({ configFile: join(folder, "none.json") })).rejects.toThrow(/cannot be read \(ENOENT\)/);
    await writeFile(other, "{");
    await expect(loadConfig({ configFile: other })).rejects.toThrow(/other.json: /);
  });
});

describe("addresses", () => {
  test.each([
    ["127.0.0.1:8080", "127.0.0.1", 8080],
    ["localhost:0", "localhost", 0],
    ["[::1]:80", "::1", 80],
    ["8080", "127.0.0.1", 8080],
    ["0.0.0.0:1", "0.0.0.0", 1],
  ])("%s", (text, host, port) => {
    expect(parseAddress(text, "http")).toEqual({ host, port });
  });

  test.each(["", ":80", "host:", "a:b", "::1:80", "[::1]", "1.2.3.4:99999", "http://x:80"])("%j is none", (text) => {
    expect(refusal(() => parseAddress(text, "http")).field).toBe("http");
  });

  test("only loopback addresses are for this machine alone", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "a.localhost", "::ffff:127.0.0.1"]) {
      expect([host, isLoopback(host)]).toEqual([host, true]);
    }
    for (const host of ["0.0.0.0", "::", "192.168.0.1", "example.com", "127.0.0.1.example.com", "localhost.example.com"]) {
      expect([host, isLoopback(host)]).toEqual([host, false]);
    }
  });

  test("an address that others reach asks for tokens; to open it needs insecure, and the refusal says what that means", () => {
    const wide = { host: "0.0.0.0", port: 8080 };
    const error = refusal(() => authFor(wide, "none", false));
    expect(error.message).toMatch(
      /0\.0\.0\.0:8080 can be reached from other machines.*anyone who reaches it.*--auth token.*--insecure/,
    );
    const near = { host: "127.0.0.1", port: 8080 };
    const cases = [
      [wide, undefined, false, "token"],
      [wide, undefined, true, "none"],
      [wide, "none", true, "none"],
      [wide, "token", true, "token"],
      [near, undefined, false, "none"],
      [near, "none", false, "none"],
      [near, "token", false, "token"],
    ] as const;
    for (const [address, asked, insecure, auth] of cases) expect(authFor(address, asked, insecure)).toBe(auth);
  });
});
