/**
 * Requests with an `Idempotency-Key`: done once, answered alike for 24 hours.
 *
 * K1  Before a new blob is claimed in place of an old one, the old one's floor is raised and its ref is sought: so the
 *     records are in the log at most once, whoever carries the request on.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { crc32c } from "../../kafka/index.ts";
import { checkIdempotencyKey } from "../idempotency-key.ts";
import type { ClaimItem } from "../items/claim.ts";
import { parsePartitionName } from "../items/head.ts";
import { unknownTopic } from "../topics.ts";
import type { AppendOptions, AppendResult } from "../types.ts";
import { type AtomicPart, type AtomicParts, committedOffsets } from "./atomic.ts";
import { Claim, TAKEOVER_MS } from "./claim.ts";
import type { Lane } from "./lane.ts";
import { settleUnknown } from "./outcome.ts";
import { appendResult } from "./result.ts";

const LOOK_AGAIN_MS = 200;

export class KeyedRequests {
  readonly #parts: AtomicParts;
  readonly #laneOf: (topicId: string, partition: number) => Lane;
  readonly #underWay = new Map<string, { readonly hash: string; readonly done: Promise<AppendResult[]> }>();

  constructor(parts: AtomicParts, laneOf: (topicId: string, partition: number) => Lane) {
    this.#parts = parts;
    this.#laneOf = laneOf;
  }

  /** Runs `append` under the key, or answers what it answered before. */
  async run(
    parts: readonly AtomicPart[],
    options: AppendOptions & { readonly idempotencyKey: string },
    append: (claim: Claim) => Promise<AppendResult[]>,
  ) {
    const key = options.idempotencyKey;
    checkIdempotencyKey(key);
    const hash = options.requestHash ?? hashOf(parts);
    const same = this.#underWay.get(key);
    if (same !== undefined) {
      if (same.hash === hash) return same.done;
      throw new BrokerlessError("idempotency_conflict", `Idempotency-Key "${key}" is in use for another request`, {
        field: "Idempotency-Key",
      });
    }
    const done = this.#run(parts, key, hash, append).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, { hash, done });
    return done;
  }

  async #run(
    parts: readonly AtomicPart[],
    key: string,
    hash: string,
    append: (claim: Claim) => Promise<AppendResult[]>,
  ): Promise<AppendResult[]> {
    const { storage, clock } = this.#parts;
    const claim = new Claim(storage.table, clock, key, hash);
    const earlier = await this.#waitFor(claim);
    if (earlier?.results !== undefined) return this.#resultsOf(parts, earlier, earlier.results);
    if (earlier !== undefined) {
      const results = await this.#recover(parts, earlier);
      if (results !== undefined) {
        await claim.finish(results);
        return this.#resultsOf(parts, earlier, results);
      }
    }
    let results: AppendResult[];
    try {
      results = await append(claim);
    } catch (error) {
      const { code, outcome } = error instanceof BrokerlessError ? error : { code: "internal", outcome: "unknown" };
      if (outcome === "not_applied" && code !== "idempotency_in_progress") await claim.release();
      throw error;
    }
    // The records are written: whatever becomes of this note, the claim can be resolved from them.
    await claim.finish(results.map((one) => [one.baseOffset, one.logAppendTimeMs ?? -1] as const)).catch(() => undefined);
    return results;
  }

  /** The claim as it is once its holder is done, or had time enough; undefined when nobody holds it. */
  async #waitFor(claim: Claim): Promise<ClaimItem | undefined> {
    const { clock } = this.#parts;
    const until = clock.monotonicMs() + TAKEOVER_MS;
    for (;;) {
      const seen = await claim.read();
      if (seen === undefined || seen.results !== undefined) return seen;
      if (clock.nowMs() - seen.claimedAtMs >= TAKEOVER_MS || clock.monotonicMs() >= until) return seen;
      await clock.sleep(LOOK_AGAIN_MS);
    }
  }

  /** What an abandoned claim wrote; undefined when it certainly wrote nothing and never will. */
  async #recover(parts: readonly AtomicPart[], earlier: ClaimItem): Promise<(readonly [number, number])[] | undefined> {
    const { storage, clock } = this.#parts;
    const lanes = this.#lanesOf(earlier);
    const [lane] = lanes;
    const [part] = parts;
    if (lane === undefined || part === undefined) return undefined;
    const outcome = await settleUnknown(
      storage.table,
      clock,
      lane,
      earlier.blobIds[0] as Uint8Array,
      earlier.fromOffsets[0] ?? 0,
    );
    if (outcome.kind === "gone") throw unknownTopic(part.topic.name);
    if (outcome.kind === "not_applied") return undefined;
    const offsets = await committedOffsets(lanes, earlier.blobIds, earlier.fromOffsets, this.#parts);
    return offsets.map((offset, i) => [offset, parts[i]?.logAppendTime ? earlier.claimedAtMs : -1] as const);
  }

  /** The partitions that a claim went to: those of the request as it is now, unless the topic has grown since. */
  #lanesOf(claim: ClaimItem): Lane[] {
    return claim.partitions.map((name) => {
      const { topicId, partition } = parsePartitionName(name);
      return this.#laneOf(topicId, partition);
    });
  }

  #resultsOf(parts: readonly AtomicPart[], claim: ClaimItem, results: readonly (readonly [number, number])[]): AppendResult[] {
    const lanes = this.#lanesOf(claim);
    if (lanes.length !== parts.length) {
      throw new BrokerlessError(
        "idempotency_conflict",
        "the request was done before, over other partitions than it would go to now",
        {
          outcome: "applied",
        },
      );
    }
    return parts.map((part, i) => {
      const [baseOffset, logAppendTimeMs] = results[i] as readonly [number, number];
      return appendResult(part, lanes[i] as Lane, baseOffset, {
        duplicate: true,
        logAppendTimeMs: logAppendTimeMs < 0 ? undefined : logAppendTimeMs,
      });
    });
  }
}

function hashOf(parts: readonly AtomicPart[]): string {
  return parts
    .map(({ topic, lane, prepared }) => `${topic.name}/${lane.partition}/${prepared.bytes.byteLength}/${crc32c(prepared.bytes)}`)
    .join(" ");
}
