import { protocolErrors } from "@platformatic/kafka";
import { expect, test } from "vitest";
import { KAFKA_ERRORS, kafkaErrorOf } from "../../../lib/kafka/index.ts";

test("every error code from -1 to 133 has one name and is found by its number", () => {
  const codes = Object.values(KAFKA_ERRORS).map((error) => error.code);
  expect(codes).toEqual(Array.from({ length: 135 }, (_, i) => i - 1));
  for (const [name, error] of Object.entries(KAFKA_ERRORS)) {
    expect(error.name).toBe(name);
    expect(kafkaErrorOf(error.code)).toBe(error);
  }
});

test("names, numbers and what is retriable agree with another client's table", () => {
  for (const { id, code, canRetry } of Object.values(protocolErrors)) {
    expect(kafkaErrorOf(code)).toEqual({ name: id, code, retriable: canRetry });
  }
});

// As Kafka 4.1's own class has them.
test.each([
  ["OFFSET_OUT_OF_RANGE", 1, false],
  ["CORRUPT_MESSAGE", 2, true],
  ["MESSAGE_TOO_LARGE", 10, false],
  ["NOT_ENOUGH_REPLICAS", 19, true],
  ["CONCURRENT_TRANSACTIONS", 51, true],
  ["MEMBER_ID_REQUIRED", 79, false],
  ["INVALID_RECORD", 87, false],
  ["FENCED_MEMBER_EPOCH", 110, false],
  ["SHARE_SESSION_NOT_FOUND", 122, true],
  ["REBOOTSTRAP_REQUIRED", 129, false],
  ["SHARE_SESSION_LIMIT_REACHED", 133, true],
] as const)("%s is %d, retriable: %s", (name, code, retriable) => {
  expect(KAFKA_ERRORS[name]).toEqual({ name, code, retriable });
});

test("a number that is not known is an unknown server error", () => {
  expect(kafkaErrorOf(9999)).toBe(KAFKA_ERRORS.UNKNOWN_SERVER_ERROR);
});
