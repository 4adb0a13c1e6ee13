/**
 * A token: key `TOKENS`, its id. The secret itself is kept nowhere.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `n` | its name |
 * | `h` | SHA-256 of the secret |
 * | `g` | grants: lists of resource, `n` (one name) or `p` (a prefix), that text, the operations' first letters |
 * | `a` | created at, milliseconds since 1970 |
 * | `x` | expires at, milliseconds since 1970; absent: never |
 * | `s`, `t` | verifiers for SCRAM-SHA-256 and SCRAM-SHA-512, of the whole token as password: salt, iterations, StoredKey, ServerKey |
 *
 * K1  An item is put once, under an id that was free, and deleted when the token is revoked; it is never changed.
 * K2  The item outlives its token by 30 days, so that its holder is told that it has expired, and then goes by itself.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Item, Key, Put, Value } from "../../ports/index.ts";
import { type Grant, OPERATIONS, type Principal, type Resource } from "../rights.ts";
import type { ScramMechanism, ScramVerifier } from "../scram.ts";

export const TOKENS = "TOKENS";

const KEPT_AFTER_EXPIRY_MS = 30 * 24 * 3_600_000;

export interface StoredToken {
  readonly principal: Principal;
  readonly createdAtMs: number;
  readonly secretHash: Uint8Array;
  readonly scram: Readonly<Record<ScramMechanism, ScramVerifier>>;
}

export function tokenKey(id: string): Key {
  return { pk: TOKENS, sk: id };
}

/** Fails as `condition_failed` where the id is taken. */
export function putToken({ principal, createdAtMs, secretHash, scram }: StoredToken): Put {
  const { id, name, grants, expiresAtMs } = principal;
  return {
    op: "put",
    key: tokenKey(id),
    item: {
      v: FORMAT_VERSION,
      n: name,
      h: secretHash,
      g: grants.map(encodeGrant),
      a: createdAtMs,
      ...(expiresAtMs === undefined ? {} : { x: expiresAtMs }),
      s: encodeVerifier(scram["SCRAM-SHA-256"]),
      t: encodeVerifier(scram["SCRAM-SHA-512"]),
    },
    when: [{ item: "absent" }],
    ...(expiresAtMs === undefined ? {} : { expiresAtMs: expiresAtMs + KEPT_AFTER_EXPIRY_MS }),
  };
}

export function decodeToken(id: string, item: Item): StoredToken {
  checkFormat(item, `token ${id}`);
  const expiresAtMs = item["x"] as number | undefined;
  return {
    principal: {
      id,
      name: item["n"] as string,
      grants: (item["g"] as readonly (readonly string[])[]).map((grant) => decodeGrant(id, grant)),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    },
    createdAtMs: item["a"] as number,
    secretHash: item["h"] as Uint8Array,
    scram: { "SCRAM-SHA-256": decodeVerifier(item["s"]), "SCRAM-SHA-512": decodeVerifier(item["t"]) },
  };
}

function encodeGrant({ resource, name, prefix, operations }: Grant): string[] {
  const letters = operations.map((operation) => operation[0]).join("");
  return [resource, name === undefined ? "p" : "n", name ?? prefix ?? "", letters];
}

function decodeGrant(id: string, [resource, kind, text, letters]: readonly string[]): Grant {
  const operations = OPERATIONS.filter((operation) => letters?.includes(operation[0] as string));
  const known = resource === "topic" || resource === "group" || resource === "cluster";
  // A grant that is read wrong could give what was not meant.
  if (!known || (kind !== "n" && kind !== "p") || text === undefined || operations.length !== letters?.length)
    throw new BrokerlessError("unsupported_version", `token ${id} has a grant that this program does not know: run a newer one`);
  if (resource === "cluster") return { resource, operations };
  return { resource: resource as Resource, ...(kind === "n" ? { name: text } : { prefix: text }), operations };
}

function encodeVerifier({ salt, iterations, storedKey, serverKey }: ScramVerifier): Value {
  return [salt, iterations, storedKey, serverKey];
}

function decodeVerifier(value: Value | undefined): ScramVerifier {
  const [salt, iterations, storedKey, serverKey] = value as readonly [Uint8Array, number, Uint8Array, Uint8Array];
  return { salt, iterations, storedKey, serverKey };
}
