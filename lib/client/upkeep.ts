/** What an operator asks of a server: to run a job now, and to check a topic. */
import { BrokerlessError, type ErrorCode } from "../base/errors.ts";
import { type Connection, strange } from "./connection.ts";

export interface JobAnswer {
  /** There is more to do: ask again. */
  readonly left: boolean;
  /** What was done, in numbers by name. */
  readonly counts: Readonly<Record<string, number>>;
  /** A line for each thing that was done, or would be. */
  readonly lines: readonly string[];
}

export interface JobOptions {
  readonly dryRun?: boolean | undefined;
  /** Look at everything, due or not; `roll` seals the tails first. Default true. */
  readonly byHand?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A line of a check, as `/v1/topics/{topic}/verify` has it. */
export type VerifyLine =
  | {
      readonly kind: "problem";
      readonly partition: number;
      readonly base_offset: number;
      readonly last_offset: number;
      readonly where: string;
      readonly what: string;
    }
  | { readonly kind: "progress"; readonly partition: number; readonly offset: number; readonly log_end_offset: number }
  | {
      readonly kind: "partition";
      readonly partition: number;
      readonly log_start_offset: number;
      readonly log_end_offset: number;
      readonly records: number;
      readonly size_bytes: number;
      readonly segments: number;
      readonly blobs: number;
      readonly problems: number;
    };

export async function runJob({ http }: Connection, job: string, options: JobOptions): Promise<JobAnswer> {
  const answer = (await http.json({
    method: "POST",
    path: ["v1", "jobs", job],
    query: { dry_run: options.dryRun, by_hand: options.byHand },
    signal: options.signal,
    // Run twice it does no more than run once.
    readOnly: true,
  })) as JobAnswer | undefined;
  if (typeof answer?.left !== "boolean" || !Array.isArray(answer.lines)) throw strange(http, "left and lines");
  return answer;
}

export async function* verifyTopic(
  { http }: Connection,
  topic: string,
  partition: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<VerifyLine> {
  const response = await http.open({ method: "GET", path: ["v1", "topics", topic, "verify"], query: { partition }, signal });
  for await (const line of linesOf(response, http.baseUrl)) {
    const event = JSON.parse(line) as VerifyLine | { kind: "error"; code: ErrorCode; message: string };
    if (event.kind === "error") throw new BrokerlessError(event.code, event.message);
    yield event;
  }
}

async function* linesOf(response: Response, baseUrl: string): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const piece = await reader?.read();
      if (piece === undefined || piece.done) break;
      text += decoder.decode(piece.value, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() as string;
      yield* lines;
    }
  } catch (cause) {
    throw new BrokerlessError("unavailable", `${baseUrl} stopped in the middle of its answer`, {
      details: { unreachable: true },
      cause,
    });
  } finally {
    await reader?.cancel().catch(() => {});
  }
  if (text !== "") throw new BrokerlessError("unavailable", `${baseUrl} stopped in the middle of its answer`);
}
