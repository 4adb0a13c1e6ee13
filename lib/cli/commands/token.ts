/** `brokerless token`: create, list, revoke; at a server, or without one over its data. */
import type { Command } from "commander";
import type { CreatedToken, Grant, TokenInfo, TokenSpec } from "../../client/index.ts";
import { type Context, connect, type ServerOptions, withServer } from "../context.ts";
import { UsageError } from "../exit-codes.ts";
import { examples } from "../help.ts";
import { openNamedStorage, type StorageOptions, withStorage } from "../storage-options.ts";
import { table } from "../ui/table.ts";
import { collect, expiry, operations } from "../values/parsers.ts";

interface TokenOptions extends ServerOptions, StorageOptions {
  readonly json?: boolean;
}

/** What can be asked for tokens: a server, or a storage that was opened here. */
interface Keeper {
  create(spec: TokenSpec): Promise<CreatedToken>;
  list(): Promise<readonly TokenInfo[]>;
  revoke(id: string): Promise<void>;
}

export function addTokenCommand(program: Command, context: Context): void {
  const token = program.command("token").description("create, list and revoke tokens, which say who may do what");
  addCreate(token, context);
  addList(token, context);
  addRevoke(token, context);
}

function subcommand(token: Command, usage: string, description: string, { io }: Context): Command {
  return withStorage(withServer(token.command(usage).description(description), io)).option("--json", "print JSON");
}

/** Runs `use` with what keeps the tokens, and closes it. */
async function withKeeper(
  options: TokenOptions,
  self: Command,
  context: Context,
  use: (keeper: Keeper) => Promise<void>,
): Promise<void> {
  const opened = await openNamedStorage(options, self.getOptionValueSource("url") === "cli");
  if (opened === undefined) {
    const { admin } = connect(options, context);
    return use({
      create: (spec) => admin.createToken(spec),
      list: () => admin.listTokens(),
      revoke: (id) => admin.revokeToken(id),
    });
  }
  try {
    const { Tokens } = await import("../../auth/index.ts");
    const { storage, clock, ids } = opened;
    const tokens = new Tokens({ table: storage.table, clock, ids });
    await use({
      create: ({ name, grants, expiresAtMs }) =>
        tokens.create({ name, grants, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }),
      list: () => tokens.list(),
      revoke: (id) => tokens.revoke(id),
    });
  } finally {
    await opened.close();
  }
}

interface CreateOptions extends TokenOptions {
  readonly name: string;
  readonly topic?: readonly string[];
  readonly topicPrefix?: readonly string[];
  readonly group?: readonly string[];
  readonly groupPrefix?: readonly string[];
  readonly allow?: Grant["operations"];
  readonly metrics?: boolean;
  readonly admin?: boolean;
  readonly expires?: number;
}

function addCreate(token: Command, context: Context): void {
  subcommand(token, "create", "create a token; stdout gets the token, which is shown this once", context)
    .requiredOption("--name <text>", "whose it is, for people")
    .option("--topic <topic>", "for this topic; may be repeated", collect)
    .option("--topic-prefix <prefix>", "for all topics whose names begin so ('' is every one); may be repeated", collect)
    .option("--group <group>", "for this consumer group; may be repeated", collect)
    .option("--group-prefix <prefix>", "for all groups whose names begin so; may be repeated", collect)
    .option("--allow <operations>", "what it may do to those: read, write, admin, with commas between", operations)
    .option("--metrics", "it may read the server's metrics")
    .option("--admin", "it may do everything, and make tokens")
    .option("--expires <when>", "after so long (90m, 12h, 30d), or at a time (2027-01-31T00:00:00Z). Default: never", expiry)
    .addHelpText(
      "after",
      `${examples(
        ["brokerless token create --name admin --admin --data ./data", "the first one, while the server is stopped"],
        ["brokerless token create --name admin --admin --table T --bucket B", "the first one of a log on AWS"],
        ["brokerless token create --name shop --topic-prefix shop. --allow write --expires 90d", "a producer, at the server"],
        ["brokerless token create --name bill --topic orders --group-prefix bill --allow read", "a consumer of one topic"],
      )}

The server knows a hash of the token, not the token: keep it where secrets are kept. docs/security.md says what each right gives.`,
    )
    .action(async (options: CreateOptions, self: Command) => {
      const { name, expires } = options;
      const grants = grantsOf(options);
      await withKeeper(options, self, context, async (keeper) => {
        const created = await keeper.create({ name, grants, ...(expires === undefined ? {} : { expiresAtMs: expires }) });
        if (options.json) return context.out.json({ ...tokenJson(created), token: created.token });
        await context.out.line(created.token);
        context.err.tell(
          `token ${created.id} (${name}): ${grantsText(grants)}; ${expiryText(created)}. It is shown this once.\n`,
        );
      });
    });
}

function grantsOf({ topic = [], topicPrefix = [], group = [], groupPrefix = [], allow, metrics, admin }: CreateOptions): Grant[] {
  const on: Omit<Grant, "operations">[] = [
    ...topic.map((name) => ({ resource: "topic", name }) as const),
    ...topicPrefix.map((prefix) => ({ resource: "topic", prefix }) as const),
    ...group.map((name) => ({ resource: "group", name }) as const),
    ...groupPrefix.map((prefix) => ({ resource: "group", prefix }) as const),
  ];
  if (on.length > 0 && allow === undefined) throw new UsageError("--allow is missing: read, write, admin, with commas between");
  if (on.length === 0 && allow !== undefined)
    throw new UsageError("--allow: on what? --topic, --topic-prefix, --group or --group-prefix names it ('' is every one)");
  const cluster = [...(metrics ? (["read"] as const) : []), ...(admin ? (["admin"] as const) : [])];
  const grants = on.map((one) => ({ ...one, operations: allow ?? [] }));
  if (cluster.length > 0) return [...grants, { resource: "cluster", operations: cluster }];
  if (grants.length === 0) throw new UsageError("a token without rights is of no use: --topic-prefix and --allow, or --admin");
  return grants;
}

function addList(token: Command, context: Context): void {
  subcommand(token, "list", "list the tokens, without their secrets", context).action((options: TokenOptions, self: Command) =>
    withKeeper(options, self, context, async (keeper) => {
      const tokens = await keeper.list();
      if (options.json) return context.out.json(tokens.map(tokenJson));
      const rows = tokens.map((one) => [one.id, one.name, timeText(one.createdAtMs), expiryText(one), grantsText(one.grants)]);
      return context.out.write(table(["ID", "NAME", "CREATED", "EXPIRY", "RIGHTS"], rows));
    }),
  );
}

function addRevoke(token: Command, context: Context): void {
  subcommand(token, "revoke <ids...>", "revoke tokens by their ids; servers refuse them within 30 seconds", context)
    .addHelpText("after", examples(["brokerless token revoke k7f3q2m5", "the id is the middle of bkl_k7f3q2m5_..."]))
    .action((ids: string[], options: TokenOptions, self: Command) => {
      // An id that is none is not repeated: it may be a whole token.
      if (ids.some((id) => !/^[a-z2-7]{8}$/.test(id)))
        throw new UsageError("an id is 8 letters and digits, as token list shows it: the middle of bkl_<id>_...");
      return withKeeper(options, self, context, async (keeper) => {
        for (const id of ids) {
          await keeper.revoke(id);
          if (options.json) await context.out.json({ token_id: id, revoked: true });
          else await context.out.line(`${id} revoked`);
        }
      });
    });
}

/** In the names of the HTTP surface. */
function tokenJson({ id, name, grants, createdAtMs, expiresAtMs }: TokenInfo): Record<string, unknown> {
  return {
    token_id: id,
    name,
    grants,
    created_at: timeText(createdAtMs),
    expires_at: expiresAtMs === undefined ? null : timeText(expiresAtMs),
  };
}

function grantsText(grants: readonly Grant[]): string {
  return grants
    .map(({ resource, name, prefix, operations: allowed }) => {
      const on = resource === "cluster" ? resource : name === undefined ? `${resource} ${prefix}*` : `${resource} ${name}`;
      return `${allowed.join(",")} on ${on}`;
    })
    .join("; ");
}

function expiryText({ expiresAtMs }: TokenInfo): string {
  if (expiresAtMs === undefined) return "does not expire";
  return `${expiresAtMs <= Date.now() ? "expired" : "expires"} ${timeText(expiresAtMs)}`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
