/** What `brokerless serve --storage aws` says when it cannot begin: one line, and what to do. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { start } from "../cli/process.ts";
import { type Canned, type CannedAws, startCannedAws } from "./canned.ts";

let aws: CannedAws;
beforeAll(async () => {
  aws = await startCannedAws();
});
afterAll(() => aws.close());
beforeEach(() => {
  aws.seen.length = 0;
  aws.decide = () => undefined;
});

const KEYS = { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "eu-west-1" };
/** Nothing of this machine's own. */
const BARE = {
  HOME: "/nowhere",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_ACCESS_KEY_ID: "",
  AWS_SECRET_ACCESS_KEY: "",
  AWS_SESSION_TOKEN: "",
  AWS_PROFILE: "",
  AWS_CONFIG_FILE: "/nowhere/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nowhere/credentials",
};

async function serve(env: Record<string, string> = KEYS, endpoint = aws.endpoint): Promise<{ code: unknown; line: string }> {
  const where = ["--storage", "aws", "--table", "events", "--bucket", "my-events", "--endpoint", endpoint];
  const { ended, output } = start(["serve", "--http", "127.0.0.1:0", "--json", ...where], { ...BARE, ...env });
  const code = await ended;
  expect(output.out).toMatch(/^(\{"error":.*\}\n)?$/);
  return { code, line: output.err };
}

const table = (status: number, code: string, message: string): Canned => ({ status, code, message });

const TABLE: [what: string, canned: Canned, says: RegExp][] = [
  [
    "a table that is not there",
    table(400, "ResourceNotFoundException", "Requested resource not found"),
    /table "events" is not in eu-west-1: deploy the stack that makes it, or correct its name or the region/,
  ],
  [
    "a table that is not ours",
    table(400, "ValidationException", "The provided key element does not match the schema"),
    /table "events" is not one of ours, .* name the table that the stack made/,
  ],
  [
    "a right that is missing",
    table(400, "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized to perform: dynamodb:GetItem"),
    /may not do dynamodb:GetItem on table "events": allow it in their policy/,
  ],
  [
    "a clock that is wrong",
    table(
      400,
      "InvalidSignatureException",
      "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z (20260101T001500Z - 5 min.)",
    ),
    /refuses this machine's clock: set it right \(NTP\)/,
  ],
  [
    "credentials that have expired",
    table(400, "ExpiredTokenException", "The security token included in the request is expired"),
    /credentials have expired: get new ones/,
  ],
  [
    "an access key that is unknown",
    table(400, "UnrecognizedClientException", "The security token included in the request is invalid."),
    /access key is not known: check AWS_ACCESS_KEY_ID/,
  ],
  [
    "a secret that is wrong",
    table(400, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided."),
    /secret key does not fit the access key/,
  ],
  ["a table that is throttled", table(400, "ThrottlingException", "Rate exceeded"), /DynamoDB asks for fewer requests/],
];

const BUCKET: typeof TABLE = [
  [
    "a bucket that is not there",
    { ...table(404, "NoSuchBucket", "The specified bucket does not exist"), more: { BucketName: "my-events" } },
    /bucket "my-events" is not in eu-west-1: deploy the stack/,
  ],
  [
    "a bucket of another account",
    table(403, "AccessDenied", "Access Denied"),
    /may not do s3:GetObject on bucket "my-events": .* check that the bucket is yours/,
  ],
  [
    "a bucket in another region",
    {
      ...table(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
      ),
      headers: { "x-amz-bucket-region": "us-west-2" },
    },
    /bucket "my-events" is in us-west-2, not in eu-west-1: set AWS_REGION/,
  ],
  [
    "a signature for another region",
    {
      ...table(
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-west-2'",
      ),
      more: { Region: "us-west-2" },
    },
    /is in us-west-2, not in eu-west-1/,
  ],
  [
    "a clock that is wrong",
    table(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    /refuses this machine's clock: set it right \(NTP\)/,
  ],
  [
    "credentials that have expired",
    table(400, "ExpiredToken", "The provided token has expired."),
    /credentials have expired: get new ones/,
  ],
  ["requests that are too many", table(503, "SlowDown", "Please reduce your request rate."), /S3 asks for fewer requests/],
];

describe.each([
  ["DynamoDB", TABLE],
  ["S3", BUCKET],
] as const)("serve over %s", (service, cases) => {
  test.each(cases)("with %s ends with one line that says what to do", async (_, canned, says) => {
    aws.decide = (name) => (name.startsWith(service) ? canned : undefined);
    const { code, line } = await serve();
    expect(code).toBe(1);
    const message = line.trim();
    expect(message.split("\n")).toHaveLength(1);
    expect(JSON.parse(message)).toMatchObject({ error: { message: expect.stringMatching(says), exit_code: 1 } });
    expect(message).not.toContain('secret"');
    // Nothing was written, and nothing was tried again that cannot help.
    expect(aws.seen.filter((name) => /Put|Update|Delete|POST|PUT/.test(name))).toEqual([]);
    if (canned.status !== 503 && canned.code !== "ThrottlingException") expect(aws.seen.length).toBeLessThanOrEqual(2);
  });
});

describe("serve over AWS ends with one line", () => {
  test("without credentials", async () => {
    const { code, line } = await serve({ AWS_REGION: "eu-west-1" });
    expect(code).toBe(1);
    expect(line).toMatch(/no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
    expect(aws.seen).toEqual([]);
  });

  test("without a region", async () => {
    const { code, line } = await serve({ ...KEYS, AWS_REGION: "" });
    expect(code).toBe(1);
    expect(line).toMatch(/no AWS region: set AWS_REGION or name one in the settings/);
  });

  test("where nothing listens", async () => {
    const { code, line } = await serve(KEYS, "http://127.0.0.1:1");
    expect(code).toBe(1);
    expect(line).toMatch(/nothing listens at 127.0.0.1:1: check the endpoint, and that the emulator runs/);
  });

  test.each([
    [["--storage", "aws", "--bucket", "b"], /storage aws needs a table: --table names it/],
    [["--storage", "aws", "--table", "t"], /storage aws needs a bucket: --bucket names it/],
    [["--bucket", "b"], /--bucket is for storage aws; the storage is embedded/],
    [["--storage", "aws", "--table", "t", "--bucket", "b", "--endpoint", "nowhere"], /--endpoint: /],
  ])("with settings that do not go together: %j", async (args, says) => {
    const { ended, output } = start(["serve", "--http", "127.0.0.1:0", ...args], KEYS);
    expect(await ended).toBe(2);
    expect(output.err).toMatch(says);
    expect(output.err.trim().split("\n")).toHaveLength(1);
  });
});
