/**
 * Who a client is, and what its token may do, by clients that are not on npm: over TCP with every mechanism, and through the
 * tunnel, where there is PLAIN alone. What a client says where it is refused is its own error.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, type TestContext, test } from "vitest";
import { installFranz, installKafka, installKcat, installPython } from "../../.ci/clients/install.ts";
import { Tokens } from "../../lib/auth/index.ts";
import { startServer } from "../../lib/server/start.ts";
import type { RunningServer } from "../../lib/server/types.ts";
import { memoryStorage } from "../../lib/storage/memory/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";
import { startTunnel } from "../../lib/tunnel/tunnel.ts";
import { run } from "./run.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const ANY = { host: "127.0.0.1", port: 0 };
const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

const kcat = installKcat();
const python = installPython();
const franz = installFranz(FOLDER);
const kafka = installKafka();
for (const install of [kcat, python, franz, kafka]) install.catch(() => {});

let server: RunningServer;
let tokens: Tokens;
let tunnel: Awaited<ReturnType<typeof startTunnel>>;
beforeAll(async () => {
  await Promise.allSettled([kcat, python, franz, kafka]);
  const storage = memoryStorage({ clock: systemClock });
  tokens = new Tokens({ table: storage.table, clock: systemClock, ids: systemIds(systemClock) });
  server = await startServer({ storage, http: ANY, kafka: ANY, auth: "token" });
  tunnel = await startTunnel({ ...ANY, url: server.url, clock: systemClock });
});
afterAll(async () => {
  await tunnel.close(1000);
  await server.close();
});

interface Identity {
  readonly broker: string;
  readonly mechanism: string;
  /** Of the topics PREFIX-open, -read and -write, and the groups PREFIX-open and -shut. */
  readonly prefix: string;
  readonly user: string;
  readonly token: string;
  readonly wrong: string;
}

/** A token that may write to and read from one topic in one group, only read another and only write a third. */
async function identity(broker: string, mechanism: string, name: string): Promise<Identity> {
  const prefix = `${name}-${mechanism}`.replaceAll(/[^\w-]/g, "");
  const rights = [
    ["open", ["read", "write"]],
    ["read", ["read"]],
    ["write", ["write"]],
  ] as const;
  for (const [topic] of rights) await server.log.createTopic({ name: `${prefix}-${topic}` });
  const { id, token } = await tokens.create({
    name: prefix,
    grants: [
      ...rights.map(([topic, operations]) => ({ resource: "topic" as const, name: `${prefix}-${topic}`, operations })),
      { resource: "group", name: `${prefix}-open`, operations: ["read"] },
    ],
  });
  const wrong = token.slice(0, -1) + (token.endsWith("2") ? "3" : "2");
  return { broker, mechanism, prefix, user: id, token, wrong };
}

interface Client {
  /** Its program's output, a line an attempt. */
  readonly attempts: (who: Identity) => Promise<string | { readonly missing: string }>;
  readonly errors: Readonly<Record<"token" | "mechanism" | "topic" | "group", string>>;
}

const argumentsOf = ({ broker, mechanism, prefix, user, token, wrong }: Identity): readonly string[] => [
  broker,
  mechanism,
  prefix,
  user,
  token,
  wrong,
];

function inPython(library: string): Client["attempts"] {
  return async (who) => {
    const installed = await python;
    return installed.missing !== undefined
      ? installed
      : run(installed.command, [`${FOLDER}sasl.py`, library, ...argumentsOf(who)]);
  };
}

/** What kcat says last, or what it read. */
async function byKcat({ broker, mechanism, prefix, user, token, wrong }: Identity) {
  const installed = await kcat;
  if (installed.missing !== undefined) return installed;
  const call = async (what: string, password: string, args: readonly string[], input = ""): Promise<string> => {
    const sasl = ["security.protocol=SASL_PLAINTEXT", `sasl.mechanism=${mechanism}`, `sasl.username=${user}`];
    const set = [...sasl, `sasl.password=${password}`, "auto.offset.reset=earliest"].flatMap((one) => ["-X", one]);
    const said = await run(installed.command, ["-b", broker, "-m", "5", ...set, ...args], {
      env: installed.env,
      input,
    }).catch(
      ({ message }: Error) =>
        /Unsupported SASL mechanism|SASL authentication error|\w+ authorization failed/.exec(message)?.[0] ?? message,
    );
    return `${what}: ${said.trim()}`;
  };
  const write = (topic: string) => ["-P", "-t", `${prefix}-${topic}`];
  const read = (topic: string, group: string) => ["-c", "1", "-G", `${prefix}-${group}`, `${prefix}-${topic}`];
  const wrote = await call("the token", token, write("open"), "value\n");
  if (wrote !== "the token: ") return wrote;
  return [
    await call("the token", token, read("open", "open")),
    await call("a wrong token", wrong, write("open"), "never\n"),
    await call("no right to write", token, write("read"), "never\n"),
    await call("no right to read", token, read("write", "open")),
    await call("no right to the group", token, read("open", "shut")),
  ].join("\n");
}

const CLIENTS: Readonly<Record<string, Client>> = {
  "confluent-kafka": {
    attempts: inPython("confluent-kafka"),
    errors: {
      token: "_AUTHENTICATION",
      mechanism: "_AUTHENTICATION, UNSUPPORTED_SASL_MECHANISM",
      topic: "TOPIC_AUTHORIZATION_FAILED",
      group: "GROUP_AUTHORIZATION_FAILED",
    },
  },
  "kafka-python": {
    attempts: inPython("kafka-python"),
    errors: {
      token: "KafkaTimeoutError, SaslAuthenticationFailedError",
      mechanism: "KafkaTimeoutError, UnsupportedSaslMechanismError",
      topic: "TopicAuthorizationFailedError",
      group: "GroupAuthorizationFailedError",
    },
  },
  aiokafka: {
    attempts: inPython("aiokafka"),
    errors: {
      token: "KafkaConnectionError, SaslAuthenticationFailed",
      mechanism: "KafkaConnectionError, UnsupportedSaslMechanismError",
      topic: "TopicAuthorizationFailedError",
      group: "GroupAuthorizationFailedError",
    },
  },
  "franz-go": {
    attempts: async (who) => {
      const installed = await franz;
      const [broker, ...others] = argumentsOf(who) as [string, ...string[]];
      return installed.missing !== undefined ? installed : run(installed.command, [broker, "sasl", ...others]);
    },
    errors: {
      token: "SASL_AUTHENTICATION_FAILED",
      mechanism: "UNSUPPORTED_SASL_MECHANISM",
      topic: "TOPIC_AUTHORIZATION_FAILED",
      group: "GROUP_AUTHORIZATION_FAILED",
    },
  },
  kcat: {
    attempts: byKcat,
    errors: {
      token: "SASL authentication error",
      mechanism: "Unsupported SASL mechanism",
      topic: "Topic authorization failed",
      group: "Group authorization failed",
    },
  },
  "Kafka's own, in Java": {
    attempts: async (who) => {
      const installed = await kafka;
      if (installed.missing !== undefined) return installed;
      const options = ["-cp", installed.classPath, "-XX:TieredStopAtLevel=1", "-Xmx256m"];
      return run("java", [...options, `${FOLDER}Sasl.java`, ...argumentsOf(who)]);
    },
    errors: {
      token: "SaslAuthenticationException",
      mechanism: "UnsupportedSaslMechanismException",
      topic: "TopicAuthorizationException",
      group: "GroupAuthorizationException",
    },
  },
};

const EACH = Object.entries(CLIENTS).flatMap(([name, client]) =>
  MECHANISMS.map((mechanism) => [name, mechanism, client] as const),
);

async function outcomes(name: string, client: Client, who: Identity, { expect, skip }: TestContext): Promise<void> {
  const out = await client.attempts(who);
  if (typeof out !== "string") return skip(out.missing);
  const { errors } = client;
  expect(out.trim().split("\n"), name).toEqual([
    "the token: value",
    `a wrong token: ${errors.token}`,
    `no right to write: ${errors.topic}`,
    `no right to read: ${errors.topic}`,
    `no right to the group: ${errors.group}`,
  ]);
}

describe("over TCP", () => {
  test.for(EACH)(
    "%s: %s, a wrong token, rights that are missing",
    { concurrent: true },
    async ([name, mechanism, client], context) => {
      await outcomes(name, client, await identity(server.kafka as string, mechanism, `tcp-${name}`), context);
    },
  );

  test("Kafka's own tools: what is told by --command-config", { concurrent: true }, async ({ expect, skip }) => {
    const installed = await kafka;
    if (installed.missing !== undefined) return skip(installed.missing);
    const who = await identity(server.kafka as string, "SCRAM-SHA-512", "tools");
    const folder = await mkdtemp(join(tmpdir(), "brokerless-sasl-"));
    const toolAs = async (password: string, name: string, ...args: string[]): Promise<string> => {
      const file = join(folder, `${password === who.token ? "right" : "wrong"}.properties`);
      const login = `org.apache.kafka.common.security.scram.ScramLoginModule required username="${who.user}" password="${password}";`;
      await writeFile(file, `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=${login}\n`);
      const options = ["-XX:TieredStopAtLevel=1", `org.apache.kafka.tools.${name}`, "--bootstrap-server", who.broker];
      return run("java", [...options, "--command-config", file, ...args], { env: { CLASSPATH: installed.classPath } });
    };
    try {
      const [listed, described] = await Promise.all([
        toolAs(who.token, "TopicCommand", "--list"),
        toolAs(who.token, "consumer.group.ConsumerGroupCommand", "--describe", "--group", `${who.prefix}-shut`).catch(String),
        expect(toolAs(who.wrong, "TopicCommand", "--list")).rejects.toThrow("the token is not valid here"),
        expect(toolAs(who.token, "TopicCommand", "--create", "--topic", `${who.prefix}-new`)).rejects.toThrow(
          "lacks the right to admin on topic",
        ),
      ]);
      expect(listed.trim().split("\n")).toEqual(["open", "read", "write"].map((topic) => `${who.prefix}-${topic}`));
      expect(described).toContain("GroupAuthorizationException");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("through the tunnel", () => {
  const broker = (): string => `127.0.0.1:${tunnel.port}`;

  const each = EACH.filter(([, mechanism]) => mechanism !== "SCRAM-SHA-256");
  test.for(each)("%s: %s", { concurrent: true }, async ([name, mechanism, client], context) => {
    const who = await identity(broker(), mechanism, `tunnel-${name}`);
    if (mechanism === "PLAIN") return outcomes(name, client, who, context);
    const out = await client.attempts(who);
    if (typeof out !== "string") return context.skip(out.missing);
    context.expect(out.trim()).toBe(`the token: ${client.errors.mechanism}`);
  });
});
