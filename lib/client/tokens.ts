/** Tokens at a server, in the words of its JSON. */
import type { Connection } from "./connection.ts";
import { strange } from "./connection.ts";

/** What a token gives. Of topics and groups: one `name`, or all that begin with a `prefix` ("" is every one). */
export interface Grant {
  readonly resource: "topic" | "group" | "cluster";
  readonly name?: string;
  readonly prefix?: string;
  readonly operations: readonly ("read" | "write" | "admin")[];
}

export interface TokenSpec {
  /** For people. */
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970. Default: it does not expire. */
  readonly expiresAtMs?: number | undefined;
}

export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly createdAtMs: number;
  readonly expiresAtMs?: number;
}

export interface CreatedToken extends TokenInfo {
  /** Shown this once. */
  readonly token: string;
}

const TOKENS = ["v1", "tokens"];

export async function createToken({ http }: Connection, { name, grants, expiresAtMs }: TokenSpec): Promise<CreatedToken> {
  const body = JSON.stringify({ name, grants, ...(expiresAtMs === undefined ? {} : { expires_at: expiresAtMs }) });
  const answer = await http.json({ method: "POST", path: TOKENS, body });
  const { token } = (answer ?? {}) as Record<string, unknown>;
  const info = infoOf(answer);
  if (info === undefined || typeof token !== "string") throw strange(http, "token");
  return { ...info, token };
}

export async function listTokens({ http }: Connection): Promise<TokenInfo[]> {
  const { tokens } = ((await http.json({ method: "GET", path: TOKENS })) ?? {}) as Record<string, unknown>;
  const infos = Array.isArray(tokens) ? tokens.map(infoOf) : [undefined];
  if (infos.some((info) => info === undefined)) throw strange(http, "tokens");
  return infos as TokenInfo[];
}

export async function revokeToken({ http }: Connection, id: string): Promise<void> {
  await http.json({ method: "DELETE", path: [...TOKENS, id] });
}

function infoOf(answer: unknown): TokenInfo | undefined {
  const { token_id: id, name, grants, created_at: created, expires_at: expires } = (answer ?? {}) as Record<string, unknown>;
  if (typeof id !== "string" || typeof name !== "string" || !Array.isArray(grants) || typeof created !== "string")
    return undefined;
  return {
    id,
    name,
    grants: grants as Grant[],
    createdAtMs: Date.parse(created),
    ...(typeof expires === "string" ? { expiresAtMs: Date.parse(expires) } : {}),
  };
}
