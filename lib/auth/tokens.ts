/**
 * Tokens: made, listed, revoked, and asked for with every request.
 *
 * A1  What authenticates is as it was in the table at most `CACHE_MS` ago: a token that was revoked elsewhere is taken no
 *     longer than that, one that this process revoked not at all, one that expires not a moment longer.
 * A2  A request whose token is in the cache costs no storage trip and no wait.
 * A3  Of a secret only its hash is kept, in the table and in memory; hashes are compared in constant time. Whoever has not
 *     the secret learns nothing about a token, not even that it is there.
 * A4  Where the table cannot be read, nobody is let in whose token is not in the cache.
 *
 * A crash in `create` leaves a token whose secret nobody has seen, and which `list` shows; one in `revoke`, the token as it
 * was. Both can be done again.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { BrokerlessError } from "../base/errors.ts";
import { fromStorage, isRefusal, storageStep } from "../log/storage-errors.ts";
import type { Clock, Ids, Table } from "../ports/index.ts";
import { decodeToken, putToken, type StoredToken, TOKENS, tokenKey } from "./items/token.ts";
import type { Principal } from "./rights.ts";
import { SCRAM_ITERATIONS, type ScramMechanism, type ScramVerifier, scramVerifier } from "./scram.ts";
import { checkTokenSpec, type TokenSpec } from "./spec.ts";
import { base32, formatToken, ID_BYTES, isTokenId, parseToken, SECRET_BYTES } from "./token-text.ts";

/** How long what was read of a token holds. */
export const CACHE_MS = 30_000;
/** Tokens in the cache; as many ids that no token has. The oldest make room. */
const CACHE_MOST = 1000;
const SALT_BYTES = 16;

/** A token without its secret. */
export interface TokenInfo extends Principal {
  readonly createdAtMs: number;
}

export interface CreatedToken extends TokenInfo {
  /** The token itself. It is not kept, and cannot be shown again. */
  readonly token: string;
}

/** What SCRAM needs of a token. Its user name is the token's id, its password the whole token. */
export interface ScramCredential {
  readonly principal: Principal;
  readonly verifier: ScramVerifier;
}

export interface TokensParts {
  readonly table: Table;
  readonly clock: Clock;
  readonly ids: Ids;
}

interface Cached {
  /** Undefined: there is no such token. */
  readonly token: StoredToken | undefined;
  readonly readAtMs: number;
}

export class Tokens {
  readonly #table: Table;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #known = new Map<string, Cached>();
  /** Apart, so that guesses do not drive tokens out. */
  readonly #unknown = new Map<string, Cached>();
  readonly #reads = new Map<string, Promise<StoredToken | undefined>>();

  constructor({ table, clock, ids }: TokensParts) {
    this.#table = table;
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Makes a token; the answer holds it, this once. Throws `invalid_request`. */
  async create(spec: TokenSpec): Promise<CreatedToken> {
    const createdAtMs = this.#clock.nowMs();
    const grants = checkTokenSpec(spec, createdAtMs);
    const { name, expiresAtMs } = spec;
    for (;;) {
      const id = base32(this.#ids.secret(ID_BYTES));
      const secret = base32(this.#ids.secret(SECRET_BYTES));
      const token = formatToken({ id, secret });
      const verifier = (mechanism: ScramMechanism) =>
        scramVerifier(mechanism, token, this.#ids.secret(SALT_BYTES), SCRAM_ITERATIONS);
      const [sha256, sha512] = await Promise.all([verifier("SCRAM-SHA-256"), verifier("SCRAM-SHA-512")]);
      const principal = { id, name, grants, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
      try {
        await this.#table.write(
          putToken({
            principal,
            createdAtMs,
            secretHash: hashOf(secret),
            scram: { "SCRAM-SHA-256": sha256, "SCRAM-SHA-512": sha512 },
          }),
        );
      } catch (error) {
        // The id is another's: one in 2^40, and this token's secret was told to nobody.
        if (isRefusal(error)) continue;
        throw fromStorage(error, "create a token");
      }
      this.#unknown.delete(id);
      return { ...principal, createdAtMs, token };
    }
  }

  /** All tokens, those that expired within 30 days too. By id. */
  async list(): Promise<TokenInfo[]> {
    const found = await storageStep("list tokens", () => this.#table.range(TOKENS));
    return found.map(({ key, item }) => {
      const { principal, createdAtMs } = decodeToken(key.sk, item);
      return { ...principal, createdAtMs };
    });
  }

  /** Is there one at all? */
  async exist(): Promise<boolean> {
    return (await storageStep("look for tokens", () => this.#table.range(TOKENS, { limit: 1 }))).length > 0;
  }

  /** Refused from now on here, within 30 s everywhere. Throws `not_found` for an id that no token has. */
  async revoke(id: string): Promise<void> {
    if (!isTokenId(id)) throw noSuchToken(id);
    try {
      await this.#table.write({ op: "delete", key: tokenKey(id), when: [{ item: "exists" }] });
    } catch (error) {
      if (isRefusal(error)) throw noSuchToken(id);
      throw fromStorage(error, `revoke token ${id}`);
    } finally {
      this.#known.delete(id);
      // A read that is under way may have seen it.
      this.#reads.delete(id);
    }
  }

  /** Who this token is. Throws `unauthenticated` for one that is wrong, unknown, revoked or expired. Waits only for what is not in the cache. */
  authenticate(text: string): Principal | Promise<Principal> {
    const parsed = parseToken(text);
    if (parsed === undefined) throw notValid();
    const cached = this.#cached(parsed.id);
    if (cached !== undefined) return this.#judge(cached.token, parsed.secret);
    return this.#read(parsed.id).then((token) => this.#judge(token, parsed.secret));
  }

  /** What is kept for SCRAM of the token with this id; undefined for one that is unknown, revoked or expired. */
  async scram(id: string, mechanism: ScramMechanism): Promise<ScramCredential | undefined> {
    if (!isTokenId(id)) return undefined;
    const cached = this.#cached(id);
    const token = cached === undefined ? await this.#read(id) : cached.token;
    if (token === undefined || this.#hasExpired(token)) return undefined;
    return { principal: token.principal, verifier: token.scram[mechanism] };
  }

  #judge(token: StoredToken | undefined, secret: string): Principal {
    if (token === undefined || !timingSafeEqual(hashOf(secret), token.secretHash)) throw notValid();
    if (this.#hasExpired(token)) {
      const { name, expiresAtMs } = token.principal;
      throw new BrokerlessError(
        "unauthenticated",
        `the token ${JSON.stringify(name)} expired at ${new Date(expiresAtMs as number).toISOString()}: ask for a new one`,
      );
    }
    return token.principal;
  }

  #hasExpired({ principal }: StoredToken): boolean {
    return principal.expiresAtMs !== undefined && principal.expiresAtMs <= this.#clock.nowMs();
  }

  #cached(id: string): Cached | undefined {
    const cached = this.#known.get(id) ?? this.#unknown.get(id);
    if (cached === undefined || this.#clock.monotonicMs() - cached.readAtMs >= CACHE_MS) return undefined;
    return cached;
  }

  /** From the table; several that ask at once ask once. */
  #read(id: string): Promise<StoredToken | undefined> {
    const underWay = this.#reads.get(id);
    if (underWay !== undefined) return underWay;
    // What is read is at least as new as this moment.
    const readAtMs = this.#clock.monotonicMs();
    const read = storageStep("read a token", () => this.#table.get(tokenKey(id))).then((item) => {
      const token = item === undefined ? undefined : decodeToken(id, item);
      if (this.#reads.get(id) === read) this.#keep(id, { token, readAtMs });
      return token;
    });
    this.#reads.set(id, read);
    const over = (): void => {
      if (this.#reads.get(id) === read) this.#reads.delete(id);
    };
    read.then(over, over);
    return read;
  }

  #keep(id: string, cached: Cached): void {
    this.#known.delete(id);
    this.#unknown.delete(id);
    const cache = cached.token === undefined ? this.#unknown : this.#known;
    cache.set(id, cached);
    if (cache.size <= CACHE_MOST) return;
    for (const oldest of cache.keys()) {
      cache.delete(oldest);
      break;
    }
  }
}

function hashOf(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

function notValid(): BrokerlessError {
  return new BrokerlessError("unauthenticated", "the token is not valid here: it is mistyped, unknown or revoked");
}

function noSuchToken(id: string): BrokerlessError {
  const shown = JSON.stringify(id.length > 60 ? `${id.slice(0, 60)}...` : id);
  return new BrokerlessError("not_found", `there is no token with the id ${shown}`, { field: "token_id" });
}
