/** Requests with an `Idempotency-Key`: claim, append, finish (see `items/claim.ts` for what is kept). */

import { equalBytes } from "../../base/bytes.ts";
import { BrokerlessError } from "../../base/errors.ts";
import { type Clock, StorageError, type Table } from "../../ports/index.ts";
import { CLAIM_MS, type ClaimItem, claimKey, decodeClaim, encodeClaim } from "../items/claim.ts";
import { isRefusal, storageStep } from "../storage-errors.ts";

/** A claim that is younger than this may still be at work elsewhere: it is waited for, not taken over. */
export const TAKEOVER_MS = 10_000;

export interface ClaimTarget {
  /** `<topicId>#<p>` */
  readonly partition: string;
  readonly blobId: Uint8Array;
  readonly fromOffset: number;
}

function first(claim: ClaimItem): Uint8Array {
  return claim.blobIds[0] as Uint8Array;
}

/** The claim of one request. One holder in a process; other processes may hold it after this one gave no sign. */
export class Claim {
  readonly #table: Table;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #requestHash: string;
  /** The item as it was last seen, this request's or another's. */
  #seen: ClaimItem | undefined;

  constructor(table: Table, clock: Clock, key: string, requestHash: string) {
    this.#table = table;
    this.#clock = clock;
    this.#key = key;
    this.#requestHash = requestHash;
  }

  /** Reads the claim; throws `idempotency_conflict` when the key stands for another request. */
  async read(): Promise<ClaimItem | undefined> {
    const item = await storageStep("read the claim of an Idempotency-Key", () => this.#table.get(claimKey(this.#key)));
    this.#seen = item && decodeClaim(item);
    if (this.#seen !== undefined && this.#seen.requestHash !== this.#requestHash) {
      throw new BrokerlessError("idempotency_conflict", `Idempotency-Key "${this.#key}" was used for another request`, {
        field: "Idempotency-Key",
      });
    }
    return this.#seen;
  }

  /** Claims these blobs for the request; throws `idempotency_in_progress` when somebody else did meanwhile. */
  async hold(targets: readonly ClaimTarget[]): Promise<void> {
    const claim: ClaimItem = {
      requestHash: this.#requestHash,
      blobIds: targets.map((target) => target.blobId),
      partitions: targets.map((target) => target.partition),
      fromOffsets: targets.map((target) => target.fromOffset),
      claimedAtMs: this.#clock.nowMs(),
      results: undefined,
    };
    await this.#replace(claim);
  }

  /** Notes the results under the claim. A holder that was overtaken leaves it to the other. */
  async finish(results: readonly (readonly [number, number])[]): Promise<void> {
    if (this.#seen === undefined) return;
    await this.#replace({ ...this.#seen, results });
  }

  /** Gives the claim up after the request certainly failed, so that it can be sent again at once. */
  async release(): Promise<void> {
    const held = this.#seen?.blobIds[0];
    if (held === undefined) return;
    try {
      await this.#table.write({
        op: "delete",
        key: claimKey(this.#key),
        when: [
          { path: "b", is: "=", value: held },
          { path: "r", is: "absent" },
        ],
      });
    } catch (error) {
      // Left open, it is taken over when it is old enough.
      if (!(error instanceof StorageError)) throw error;
    }
  }

  async #replace(claim: ClaimItem): Promise<void> {
    const seen = this.#seen;
    try {
      await storageStep("claim an Idempotency-Key", () =>
        this.#table.write({
          op: "put",
          key: claimKey(this.#key),
          item: encodeClaim(claim),
          when:
            seen === undefined
              ? [{ item: "absent" }]
              : [
                  { path: "b", is: "=", value: first(seen) },
                  { path: "r", is: "absent" },
                ],
          expiresAtMs: this.#clock.nowMs() + CLAIM_MS,
        }),
      );
    } catch (error) {
      const cause = error instanceof BrokerlessError ? error.cause : error;
      if (!isRefusal(cause)) throw error;
      // Our own write may have been applied though its answer was lost.
      const now = cause.item && decodeClaim(cause.item);
      const ours =
        now !== undefined &&
        equalBytes(first(now), first(claim)) &&
        (now.results === undefined) === (claim.results === undefined);
      if (!ours) {
        throw new BrokerlessError("idempotency_in_progress", `a request with Idempotency-Key "${this.#key}" is under way`, {
          retryAfterMs: 1000,
        });
      }
    }
    this.#seen = claim;
  }
}
