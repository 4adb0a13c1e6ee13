import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "../client/server.ts";
import { brokerless, lines, type Ran, type RunOptions } from "./run.ts";

let server: RunningServer;
let folder: string;
let topics = 0;
let topic: string;

beforeAll(async () => {
  server = await memoryServer();
  folder = await mkdtemp(join(tmpdir(), "brokerless-cli-"));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  topic = `c${++topics}`;
});

function run(args: string, options: RunOptions = {}): Promise<Ran> {
  return brokerless(
    args.split(" ").filter((arg) => arg !== ""),
    { url: server.url, ...options },
  );
}

async function ok(args: string, options: RunOptions = {}): Promise<Ran> {
  const ran = await run(args, options);
  expect(ran.err.startsWith("brokerless:") ? ran.err : "").toBe("");
  expect(ran.code).toBe(0);
  return ran;
}

describe("topic", () => {
  test("create, list, describe, alter and delete, for people", async () => {
    expect((await ok(`topic create ${topic} --partitions 2 --config retention.ms=60000`)).out).toBe(
      `${topic} created: 2 partitions\n`,
    );
    expect((await ok("topic list")).out).toContain(topic);
    const { out } = await ok(`topic describe ${topic}`);
    expect(out).toContain("PARTITION  LOG-START  LOG-END");
    expect(out).toMatch(/retention\.ms +60000/);
    expect(
      (await ok(`topic alter ${topic} --partitions 3 --delete-config retention.ms --config cleanup.policy=compact`)).out,
    ).toBe(`${topic} altered: cleanup.policy, retention.ms, 3 partitions\n`);
    expect((await ok(`topic delete ${topic}`)).out).toBe(`${topic} deleted\n`);
  });

  test("and for programs", async () => {
    expect(JSON.parse((await ok(`topic create ${topic} --partitions 2 --json`)).out)).toEqual({
      topic,
      partitions: 2,
      replication_factor: 1,
      created: true,
    });
    expect(JSON.parse((await ok("topic list --json")).out)).toContainEqual({ topic, partitions: 2, replication_factor: 1 });
    await ok(`produce ${topic} -p 1`, { stdin: "a\nb\n" });
    expect(JSON.parse((await ok(`topic describe ${topic} --json`)).out)).toEqual({
      topic,
      partitions: 2,
      replication_factor: 1,
      offsets: [
        { partition: 0, log_start_offset: 0, log_end_offset: 0 },
        { partition: 1, log_start_offset: 0, log_end_offset: 2 },
      ],
      configs: {},
    });
    expect(Object.keys(JSON.parse((await ok(`topic describe ${topic} --json --all-configs`)).out).configs)).toContain(
      "max.message.bytes",
    );
    expect(JSON.parse((await ok(`topic delete ${topic} --json`)).out)).toEqual({ topic, deleted: true });
  });

  test("what is there already, or not there, is an error unless it may be so", async () => {
    await ok(`topic create ${topic}`);
    expect(await run(`topic create ${topic}`)).toMatchObject({ code: 1, err: expect.stringContaining("exists") });
    expect((await ok(`topic create ${topic} --if-not-exists`)).out).toContain("is there already");
    await ok(`topic delete ${topic}`);
    expect(await run(`topic delete ${topic}`)).toMatchObject({ code: 3 });
    expect((await ok(`topic delete ${topic} --if-exists`)).out).toContain("is not there");
    expect(await run(`topic describe ${topic}`)).toMatchObject({ code: 3 });
  });

  test("a dry run creates nothing and refuses what would be refused", async () => {
    expect((await ok(`topic create ${topic} --dry-run`)).out).toContain("could be created");
    expect((await run(`topic describe ${topic}`)).code).toBe(3);
    expect(await run(`topic create ${topic} --dry-run --config retention.mss=1`)).toMatchObject({
      code: 1,
      err: expect.stringContaining("retention.mss"),
    });
  });
});

describe("produce and consume", () => {
  test("lines with keys and headers, printed by a format", async () => {
    await ok(`topic create ${topic}`);
    await ok(`produce ${topic} -K : -H h=1 -H n`, { stdin: "ada:one\n:two\nthree" });
    expect(lines((await ok(`consume ${topic} -e -f %o|%k|%K|%s|%S|%h\\n`)).out)).toEqual([
      "0|ada|3|one|3|h=1,n=",
      "1||0|two|3|h=1,n=",
      "2||-1|three|5|h=1,n=",
    ]);
    expect((await ok(`consume ${topic} -e`)).out).toBe("one\ntwo\nthree\n");
    expect((await ok(`consume ${topic} -e -K =`)).out).toBe("ada=one\n=two\n=three\n");
    expect((await ok(`consume ${topic} -e -D ; -c 2`)).out).toBe("one;two;");
  });

  test("-Z makes and shows nulls", async () => {
    await ok(`topic create ${topic}`);
    await ok(`produce ${topic} -K : -Z`, { stdin: "a:\n:b\n" });
    expect((await ok(`consume ${topic} -e -Z -f %k=%s,%S\\n`)).out).toBe("a=NULL,-1\nNULL=b,1\n");
  });

  test("any delimiter, and bytes that are no text", async () => {
    await ok(`topic create ${topic}`);
    const stdin = Buffer.from([0, 255, 10, 254, 0x7c, 0x7c, 1, 0x7c, 2]);
    await ok(`produce ${topic} -D ||`, { stdin });
    expect([...(await ok(`consume ${topic} -e -f %R%s`)).bytes]).toEqual([0, 0, 0, 4, 0, 255, 10, 254, 0, 0, 0, 3, 1, 0x7c, 2]);
  });

  test("JSON lines out of one topic are a copy in another", async () => {
    await ok(`topic create ${topic} --partitions 3`);
    await ok(`topic create ${topic}-copy --partitions 3`);
    await ok(`produce ${topic} --json`, {
      stdin:
        '{"key":"a","value":{"n":1},"headers":{"h":null},"timestamp":5}\n\n{"payload":"/w==","payload_encoding":"base64","partition":2}\n',
    });
    const { bytes } = await ok(`consume ${topic} -e --json`);
    await ok(`produce ${topic}-copy --json`, { stdin: bytes });
    const copy = (await ok(`consume ${topic}-copy -e -J`)).out.replaceAll(`${topic}-copy`, topic);
    expect(lines(copy).sort()).toEqual(lines(bytes.toString()).sort());
    expect(copy).toContain('"ts":5');
  });

  test("files, one after the other, with the input teed", async () => {
    await ok(`topic create ${topic}`);
    const [one, two] = [join(folder, "one.txt"), join(folder, "two.txt")];
    await Promise.all([writeFile(one, "1\n2\n"), writeFile(two, "3")]);
    expect((await ok(`produce ${topic} ${one} ${two} -T`)).out).toBe("1\n2\n3\n");
    expect((await ok(`produce -t ${topic} ${one} - `, { stdin: "4\n" })).out).toBe("");
    expect((await ok(`consume -t ${topic} -e`)).out).toBe("1\n2\n3\n1\n2\n4\n");
  });

  test("a file that is not there is told before the first line is written", async () => {
    await ok(`topic create ${topic}`);
    const there = join(folder, "there.txt");
    await writeFile(there, "1\n");
    expect(await run(`produce ${topic} ${there} ${folder}/nowhere.txt`)).toMatchObject({
      code: 1,
      err: expect.stringContaining("nowhere.txt: there is no such file"),
    });
    expect((await ok(`consume ${topic} -e`)).out).toBe("");
  });

  test("--report says where each record went", async () => {
    await ok(`topic create ${topic}`);
    const { out } = await ok(`produce ${topic} --report`, { stdin: "a\nb\n" });
    expect(lines(out).map((line) => JSON.parse(line))).toMatchObject([
      { topic, partition: 0, offset: 0 },
      { topic, partition: 0, offset: 1 },
    ]);
  });

  test("a bad line is named, and what came before it is written", async () => {
    await ok(`topic create ${topic}`);
    const ran = await run(`produce ${topic} --json`, { stdin: '{"value":"1"}\n{"value":"2"}\n{"value":\n{"value":"4"}\n' });
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(/^brokerless: stdin:3: not JSON: .* \(2 records written before that\)\n$/);
    expect((await ok(`consume ${topic} -e`)).out).toBe("1\n2\n");
  });

  test("a record that is refused is named by its line", async () => {
    await ok(`topic create ${topic} --config max.message.bytes=1000`);
    const ran = await run(`produce ${topic}`, { stdin: `a\n${"x".repeat(2000)}\nb\n` });
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(/^brokerless: stdin:2: .*max\.message\.bytes.*written before that\)\n$/);
  });

  test.each(["gzip", "snappy", "lz4", "zstd"])("-z %s", async (codec) => {
    await ok(`topic create ${topic}`);
    await ok(`produce ${topic} -z ${codec}`, { stdin: "again\n".repeat(1000) });
    expect(lines((await ok(`consume ${topic} -e -f %o\\n`)).out)).toHaveLength(1000);
  });

  test("-o and -p choose where to read", async () => {
    await ok(`topic create ${topic} --partitions 2`);
    for (const p of [0, 1]) {
      const stdin = Array.from({ length: 10 }, (_, i) => `{"value":"${p}-${i}","timestamp":${1000 + i}}\n`).join("");
      await ok(`produce ${topic} -p ${p} --json`, { stdin });
    }
    const read = async (args: string) =>
      lines((await ok(`consume ${topic} -e ${args}`)).out)
        .sort()
        .join(" ");
    expect(await read("-p 1 -o 8")).toBe("1-8 1-9");
    expect(await read("-o -2")).toBe("0-8 0-9 1-8 1-9");
    expect(await read("-o -100 -p 0 -c 1")).toBe("0-0");
    expect(await read("-o end")).toBe("");
    expect(await read("-o s@1008 -p 0")).toBe("0-8 0-9");
    expect(await read("-o e@1002 -p 0,1")).toBe("0-0 0-1 1-0 1-1");
    expect(await read("-o s@1004 -o e@1006 -p 1")).toBe("1-4 1-5");
    // An end makes -e needless.
    expect(lines((await ok(`consume ${topic} -o e@1001`)).out).sort()).toEqual(["0-0", "1-0"]);
    expect(await run(`consume ${topic} -e -p 2`)).toMatchObject({
      code: 2,
      err: `brokerless: --partition 2: ${topic} has the partitions 0 to 1\n`,
    });
    expect(await run(`consume ${topic} -e -o 11`)).toMatchObject({ code: 1, err: expect.stringContaining("11") });
    expect(await read("-o 11 --reset earliest -p 0 -c 1")).toBe("0-0");
  });

  test("consume waits for new records, and ends with a summary and 130 when it is interrupted", async () => {
    await ok(`topic create ${topic}`);
    const interrupt = new AbortController();
    let seen = "";
    const consuming = run(`consume ${topic}`, { interrupted: interrupt.signal, onOutput: (text) => (seen += text) });
    await ok(`produce ${topic}`, { stdin: "late\n" });
    await expect.poll(() => seen).toBe("late\n");
    interrupt.abort("SIGINT");
    const ran = await consuming;
    expect(ran.code).toBe(130);
    expect(ran.err).toMatch(/^1 record, 5 B in /);
  });

  test("produce that is interrupted writes what it has read, says so and ends with 130", async () => {
    await ok(`topic create ${topic}`);
    const interrupt = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("one\ntwo\n");
      setTimeout(() => interrupt.abort("SIGINT"), 100);
      await new Promise(() => {});
    }
    const ran = await run(`produce ${topic}`, { stdin: endless(), interrupted: interrupt.signal });
    expect(ran.code).toBe(130);
    expect(ran.err).toMatch(/^2 records, 6 B to c\d+ in /);
    expect((await ok(`consume ${topic} -e`)).out).toBe("one\ntwo\n");
  });

  test("progress and a summary are for terminals alone", async () => {
    await ok(`topic create ${topic}`);
    expect((await ok(`produce ${topic}`, { stdin: "a\n" })).err).toBe("");
    expect((await ok(`produce ${topic}`, { stdin: "a\n", tty: true })).err).toMatch(/1 record, 1 B to /);
    expect((await ok(`produce ${topic} -q`, { stdin: "a\n", tty: true })).err).toBe("");
  });
});

describe("replay", () => {
  const values = (ran: Ran) => lines(ran.out).sort();

  async function source(partitions = 2, each = 50): Promise<void> {
    await ok(`topic create ${topic} --partitions ${partitions} --config retention.ms=987654321`);
    for (let p = 0; p < partitions; p++) {
      const stdin = Array.from(
        { length: each },
        (_, i) => `{"key":"k${i % 7}","value":"${p}-${i}","headers":{"h":"${i}"},"timestamp":${1000 + i}}\n`,
      );
      await ok(`produce ${topic} -p ${p} --json`, { stdin: stdin.join("") });
    }
  }
  const shape = "%p|%o|%k|%s|%T|%h\\n";

  test("into a new topic: the same records in the same partitions", async () => {
    await source();
    const ran = await ok(`replay ${topic} --to-topic ${topic}-to --create --json -z zstd`);
    expect(JSON.parse(ran.out)).toMatchObject({ from: topic, to: `${topic}-to`, records: 100, complete: true });
    const [from, to] = await Promise.all([ok(`consume ${topic} -e -f ${shape}`), ok(`consume ${topic}-to -e -f ${shape}`)]);
    expect(values(to)).toEqual(values(from));
    expect(JSON.parse((await ok(`topic describe ${topic}-to --json`)).out).configs).toEqual({ "retention.ms": "987654321" });
  });

  test("from a time on, one partition", async () => {
    await source();
    await ok(`replay ${topic} --to-topic ${topic}-to --create -o s@1045 -p 1 -q`);
    expect(values(await ok(`consume ${topic}-to -e`))).toEqual(["1-45", "1-46", "1-47", "1-48", "1-49"]);
  });

  test("into a topic with another number of partitions: by key, when it is asked for", async () => {
    await source();
    await ok(`topic create ${topic}-to --partitions 1`);
    expect(await run(`replay ${topic} --to-topic ${topic}-to`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--by-key spreads by key"),
    });
    await ok(`replay ${topic} --to-topic ${topic}-to --by-key`);
    expect(values(await ok(`consume ${topic}-to -e`))).toEqual(values(await ok(`consume ${topic} -e`)));
  });

  test("with --state: the same command again writes only what is new", async () => {
    await source();
    const state = join(folder, `${topic}.json`);
    const command = `replay ${topic} --to-topic ${topic}-to --create --json --state ${state}`;
    expect(JSON.parse((await ok(command)).out).records).toBe(100);
    expect(JSON.parse((await ok(command)).out).records).toBe(0);
    await ok(`produce ${topic} -p 0`, { stdin: "new\n" });
    expect(JSON.parse((await ok(command)).out).records).toBe(1);
    expect(values(await ok(`consume ${topic}-to -e`))).toEqual(values(await ok(`consume ${topic} -e`)));
    expect(await run(`replay ${topic} --to-topic other --state ${state}`)).toMatchObject({ code: 3 });
    await ok("topic create other --partitions 2 --if-not-exists");
    expect(await run(`replay ${topic} --to-topic other --state ${state}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("belongs to another replay"),
    });
    await writeFile(state, "{}");
    expect(await run(command)).toMatchObject({ code: 2, err: expect.stringContaining("not the state of a replay") });
  });

  test("to a file and, with --resume, the rest; a line that was cut is written again", async () => {
    await source();
    const file = join(folder, `${topic}.jsonl`);
    await ok(`replay ${topic} --to-file ${file} -o e@1020`);
    const before = await readFile(file);
    expect(lines(before.toString())).toHaveLength(40);
    await writeFile(file, before.subarray(0, before.length - 30));
    expect(await run(`replay ${topic} --to-file ${file}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--resume goes on with it"),
    });
    await ok(`replay ${topic} --to-file ${file} --resume`);
    const after = lines((await readFile(file)).toString()).map((line) => JSON.parse(line).payload as string);
    expect(after.sort()).toEqual(values(await ok(`consume ${topic} -e`)));
  });

  test("a file that is no replay of the topic is left alone", async () => {
    await source();
    const file = join(folder, `${topic}.txt`);
    for (const content of ["hello\n", '{"topic":"another","partition":0,"offset":1}\n']) {
      await writeFile(file, content);
      expect((await run(`replay ${topic} --to-file ${file} --resume`)).code).toBe(2);
      expect((await readFile(file)).toString()).toBe(content);
    }
  });

  test.each([
    ["", "where to?"],
    ["--to-topic a --to-file b", "where to?"],
    ["--to-topic TOPIC", "this is the topic that is read"],
    ["--to-file b --state c", "--state is for --to-topic"],
    ["--to-file b --by-key", "--by-key is for --to-topic"],
    ["--to-topic b --resume", "--resume is for --to-file"],
  ])("options that do not go together: %s", async (options, message) => {
    expect(await run(`replay ${topic} ${options.replace("TOPIC", topic)}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining(message),
    });
  });
});

describe("how it ends", () => {
  test.each([
    ["consume", "which topic?"],
    ["consume a -t b", "--topic b: the topic is a already"],
    ["consume a --ofset 3", "unknown option '--ofset' (Did you mean --offset?)"],
    ["consume a -o yesterday", "option '-o, --offset <place>' argument 'yesterday' is invalid"],
    ["consume a -c 0", "argument '0' is invalid. It must be a whole number from 1 on."],
    ["consume a -f %q", '--format "%q": %q is no token'],
    ["consume a -J -f %s", "--format, --json and the delimiters"],
    ["consume a --reset oldest", "--reset oldest"],
    ["produce a -z brotli", "argument 'brotli' is invalid. It must be one of none, gzip, snappy, lz4, zstd."],
    ["produce a --acks 2", "It must be 0, 1 or all."],
    ["produce a --json -K :", "--json lines have their key in them"],
    ["topic create", "missing required argument 'topic'"],
    ["topic create a --partitions 0", "It must be a whole number from 1 to 10,000."],
    ["topic create a --config x", "It must be name=value."],
    ["topic alter a", "nothing to alter"],
    ["topic alter a --config x=1 --delete-config x", "--delete-config x: --config sets it"],
    ["topic crate", "unknown command 'crate' (Did you mean create?)"],
    ["consum", "unknown command 'consum' (Did you mean consume?)"],
    ["health --url localhost:8080", "It must be an address that begins with http://"],
    ["serve --http nowhere", "--http"],
    ["serve --http 0.0.0.0:0 --auth none", "--insecure"],
    ["serve --storage tape", "--storage"],
  ])("%s: 2, and one line", async (args, message) => {
    const ran = await run(args);
    expect(ran.err).toContain(message);
    expect(lines(ran.err)).toHaveLength(1);
    expect(ran.err).toMatch(/^brokerless: /);
    expect(ran).toMatchObject({ code: 2, out: "" });
  });

  test("an unknown topic is 3, for every command that reads or writes one", async () => {
    for (const args of [
      "consume nowhere -e",
      "produce nowhere",
      "topic describe nowhere",
      "topic alter nowhere --partitions 3",
      "replay nowhere --to-file x",
    ]) {
      expect(await run(args)).toMatchObject({ code: 3, err: expect.stringContaining("nowhere") });
    }
  });

  test("no server is 4", async () => {
    const gone = await memoryServer();
    await gone.close();
    expect(await run(`topic list --url ${gone.url}`)).toMatchObject({
      code: 4,
      err: `brokerless: cannot reach ${gone.url}: connection refused\n`,
    });
  });

  test("with --json an error is JSON too", async () => {
    const ran = await run("topic describe nowhere --json");
    expect(JSON.parse(ran.err)).toMatchObject({ error: { code: "unknown_topic", outcome: "not_applied", exit_code: 3 } });
  });

  test("help is asked for on stdout with 0, and shown on stderr with 2 where nothing was asked", async () => {
    for (const command of [
      "",
      "serve",
      "topic",
      "topic create",
      "topic list",
      "topic describe",
      "topic alter",
      "topic delete",
      "produce",
      "consume",
      "replay",
      "health",
    ]) {
      const ran = await run(`${command} --help`);
      expect(ran).toMatchObject({ code: 0, err: "" });
      expect(ran.out).toContain("Usage: brokerless");
      if (command !== "topic") expect(ran.out).toContain("Examples:\n  $ ");
    }
    const bare = await run("");
    expect(bare).toMatchObject({ code: 2, out: "" });
    expect(bare.err).toContain("Usage: brokerless");
  });

  test("--version prints the version", async () => {
    expect(await run("--version")).toMatchObject({ code: 0, out: "1.2.3\n" });
  });
});
