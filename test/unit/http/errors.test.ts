import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BrokerlessError, type ErrorCode } from "../../../lib/base/errors.ts";
import { asBrokerlessError, errorReply, HTTP_ERRORS } from "../../../lib/http/errors.ts";
import { KAFKA_ERRORS } from "../../../lib/kafka/index.ts";
import { kafkaCodeOf } from "../../../lib/wire/errors.ts";

describe("errors over HTTP", () => {
  test("docs/errors.md lists every one as the code has it", () => {
    const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| (\d+) \| -?\d+ \w+ \| (.+) \|$/gm)].map(
      ([, code, status, errorCode, advice]) => [code, { status: Number(status), errorCode: Number(errorCode), advice }],
    );
    expect(Object.fromEntries(rows)).toEqual(HTTP_ERRORS);
  });

  test("docs/errors.md names for every one the error of the Kafka protocol", () => {
    const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` \| \d{3} \| \d+ \| (-?\d+) (\w+) \|/gm)].map(([, code, number, name]) => [
      code,
      `${number} ${name}`,
    ]);
    const inCode = (Object.keys(HTTP_ERRORS) as ErrorCode[]).map((code) => {
      const number = kafkaCodeOf(new BrokerlessError(code, "x"));
      return [code, `${number} ${Object.values(KAFKA_ERRORS).find((one) => one.code === number)?.name}`];
    });
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(inCode));
  });

  test("Confluent's codes stand with the statuses they are made of", () => {
    for (const [code, { status, errorCode }] of Object.entries(HTTP_ERRORS)) {
      const leading = Number(String(errorCode).slice(0, 3));
      // Confluent's 50003 (retriable) is older than the status 503; a status alone stands for itself.
      const expected = errorCode === 50003 ? 500 : status;
      expect([code, leading]).toEqual([code, expected]);
    }
  });

  test("what is worth trying again says when", () => {
    expect(errorReply(new BrokerlessError("throttled", "x", { retryAfterMs: 1500 })).headers["retry-after"]).toBe("2");
    expect(errorReply(new BrokerlessError("unavailable", "x")).headers["retry-after"]).toBe("1");
    expect(errorReply(new BrokerlessError("invalid_request", "x")).headers["retry-after"]).toBeUndefined();
  });

  test("field and facts are told, in the API's own way of writing", () => {
    const reply = errorReply(
      new BrokerlessError("offset_out_of_range", "x", { field: "offset", details: { logStartOffset: 1, logEndOffset: 9 } }),
    );
    expect(JSON.parse(reply.body as string)).toEqual({
      error_code: 41601,
      message: "x",
      code: "offset_out_of_range",
      outcome: "not_applied",
      field: "offset",
      details: { log_start_offset: 1, log_end_offset: 9 },
    });
    expect(reply.headers).toMatchObject({ "kafka-log-start-offset": "1", "kafka-log-end-offset": "9" });
  });

  test("what is not ours is told as a bug, and what it did as unknown", () => {
    const error = asBrokerlessError(new TypeError("secret"));
    expect([error.code, error.outcome]).toEqual(["internal", "unknown"]);
    expect(error.message).not.toContain("secret");
  });
});
