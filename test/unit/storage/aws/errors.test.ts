import { describe, expect, test } from "vitest";
import { type Failure, judge, type Target } from "../../../../lib/storage/aws/errors.ts";
import { NotSent } from "../../../../lib/storage/aws/http.ts";
import { serviceError } from "./support.ts";

const TABLE: Target = { service: "DynamoDB", name: "log", region: "us-east-1", operation: "PutItem" };
const BUCKET: Target = { service: "S3", name: "log-bytes", region: "us-east-1", operation: "PutObject" };

function nodeError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

function kindOf({ error, again }: Failure): string {
  return `${error.kind}, ${again}`;
}

describe("what became of a request", () => {
  test.each([
    ["ProvisionedThroughputExceededException", 400, "throttled, throttled"],
    ["ThrottlingException", 400, "throttled, throttled"],
    ["RequestLimitExceeded", 400, "throttled, throttled"],
    ["SlowDown", 503, "throttled, throttled"],
    ["TransactionConflictException", 400, "contended, contended"],
    ["ConditionalRequestConflict", 409, "contended, contended"],
    ["InternalServerError", 500, "unknown, lost"],
    ["ServiceUnavailable", 503, "unknown, lost"],
    ["InternalError", 500, "unknown, lost"],
    ["SomethingNew", 502, "unknown, lost"],
    ["RequestTimeout", 400, "unknown, lost"],
    ["TransactionInProgressException", 400, "unknown, lost"],
    ["ResourceNotFoundException", 400, "unavailable, no"],
    ["AccessDeniedException", 400, "unavailable, no"],
    ["ValidationException", 400, "unavailable, no"],
    ["EntityTooLarge", 400, "too_large, no"],
  ])("%s (%d): %s", (name, status, wanted) => {
    expect(kindOf(judge(serviceError(name, status, "why"), TABLE, true))).toBe(wanted);
  });

  test.each(["ECONNRESET", "EPIPE", "ETIMEDOUT"])("%s after it was sent is unknown, before it certainly not applied", (code) => {
    expect(kindOf(judge(nodeError(code), TABLE, true))).toBe("unknown, lost");
    expect(kindOf(judge(new NotSent("h:1", nodeError(code)), TABLE, false))).toBe("unavailable, unreachable");
  });

  test("an error of the client before it sent anything is no open outcome", () => {
    expect(kindOf(judge(new TypeError("bad input"), TABLE, false))).toBe("unavailable, no");
  });

  test("whatever else is thrown after it was sent leaves the outcome open", () => {
    for (const thrown of [new SyntaxError("not JSON"), undefined, "text", {}]) {
      expect(kindOf(judge(thrown, TABLE, true))).toBe("unknown, lost");
    }
  });

  test("an item over the limit is too large, in each of DynamoDB's words for it", () => {
    for (const message of [
      "Item size has exceeded the maximum allowed size",
      "Item size to update has exceeded the maximum allowed size",
      "Collection size limit exceeded",
      "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of 2048 bytes",
    ]) {
      expect(judge(serviceError("ValidationException", 400, message), TABLE, true).error.kind).toBe("too_large");
    }
    const other = serviceError("ValidationException", 400, "Value provided in ExpressionAttributeNames unused");
    expect(judge(other, TABLE, true).error.kind).toBe("unavailable");
  });
});

describe("what to do about it", () => {
  const OF: readonly (readonly [what: string, thrown: unknown, target: Target, message: string])[] = [
    [
      "table missing",
      serviceError("ResourceNotFoundException", 400, "Requested resource not found"),
      TABLE,
      'table "log" is not in us-east-1: deploy the stack that makes it, or correct its name or the region',
    ],
    [
      "bucket missing",
      serviceError("NoSuchBucket", 404),
      BUCKET,
      'bucket "log-bytes" is not in us-east-1: deploy the stack that makes it, or correct its name or the region',
    ],
    [
      "bucket elsewhere, by the header",
      serviceError("PermanentRedirect", 301, "", { $response: { headers: { "x-amz-bucket-region": "eu-west-1" } } }),
      BUCKET,
      'bucket "log-bytes" is in eu-west-1, not in us-east-1: set AWS_REGION to the bucket\'s region',
    ],
    [
      "bucket elsewhere, by the message",
      serviceError("AuthorizationHeaderMalformed", 400, "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
      BUCKET,
      'bucket "log-bytes" is in eu-west-1, not in us-east-1: set AWS_REGION to the bucket\'s region',
    ],
    [
      "table with other keys",
      serviceError("ValidationException", 400, "The provided key element does not match the schema"),
      TABLE,
      'table "log" is not one of ours, its keys are not the strings pk and sk: name the table that the stack made',
    ],
    [
      "table not ours",
      serviceError("AccessDeniedException", 400, "User: arn:aws:iam::1:user/x is not authorized"),
      TABLE,
      'these AWS credentials may not do dynamodb:PutItem on table "log": allow it in their policy, or check that the table is yours',
    ],
    [
      "bucket not ours",
      serviceError("AccessDenied", 403),
      BUCKET,
      'these AWS credentials may not do s3:PutObject on bucket "log-bytes": allow it in their policy, or check that the bucket is yours',
    ],
    [
      "expired",
      serviceError("ExpiredTokenException", 400, "The security token included in the request is expired"),
      TABLE,
      'the AWS credentials have expired: get new ones, with "aws sso login" for one (The security token included in the request is expired)',
    ],
    [
      "none",
      Object.assign(new Error("Could not load credentials from any providers"), { name: "CredentialsProviderError" }),
      TABLE,
      "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (Could not load credentials from any providers)",
    ],
    [
      "unknown key",
      serviceError("UnrecognizedClientException", 400, "The security token included in the request is invalid"),
      TABLE,
      "the AWS access key is not known: check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN or the profile",
    ],
    [
      "wrong secret",
      serviceError("SignatureDoesNotMatch", 403),
      BUCKET,
      "the AWS secret key does not fit the access key: check AWS_SECRET_ACCESS_KEY or the profile",
    ],
    [
      "clock, DynamoDB",
      serviceError("InvalidSignatureException", 400, "Signature expired: 20261123T000000Z is now earlier than"),
      TABLE,
      "DynamoDB refuses this machine's clock: set it right (NTP)",
    ],
    ["clock, S3", serviceError("RequestTimeTooSkewed", 403), BUCKET, "S3 refuses this machine's clock: set it right (NTP)"],
    ["no region", new Error("Region is missing"), TABLE, "no AWS region: set AWS_REGION or name one in the settings"],
    [
      "no such host",
      new NotSent("dynamodb.us-eats-1.amazonaws.com", nodeError("ENOTFOUND")),
      TABLE,
      "DynamoDB: there is no host dynamodb.us-eats-1.amazonaws.com: check AWS_REGION, the endpoint and this machine's DNS",
    ],
    [
      "emulator not running",
      new NotSent("127.0.0.1:4566", nodeError("ECONNREFUSED")),
      BUCKET,
      "S3: nothing listens at 127.0.0.1:4566: check the endpoint, and that the emulator runs",
    ],
    [
      "anything else",
      serviceError("ValidationException", 400, "first line\n  second line"),
      TABLE,
      'DynamoDB PutItem on table "log" was refused: 400 ValidationException: first line second line',
    ],
  ];

  test.each(OF)("%s", (_, thrown, target, message) => {
    const { error } = judge(thrown, target, thrown instanceof NotSent ? false : "$metadata" in (thrown as object));
    expect(error).toMatchObject({ kind: "unavailable", outcome: "not_applied", message });
  });
});
