import { describe, expect, test } from "vitest";
import { scopeOfHost, signingFetch } from "../../../lib/client/aws/index.ts";

// AWS's published test suite for Signature Version 4 (aws-sig-v4-test-suite): its key, time, host and scope.
const SUITE = {
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
  region: "us-east-1",
  service: "service",
  nowMs: () => Date.UTC(2015, 7, 30, 12, 36, 0),
};

test.each([
  ["get-vanilla", "GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
  [
    "get-vanilla-query-order-key-case",
    "GET",
    "/?Param2=value2&Param1=value1",
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  ],
  ["post-vanilla", "POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
])("AWS's test suite: %s", async (_, method, target, signature) => {
  let authorization: string | null = null;
  const signed = signingFetch({
    ...SUITE,
    fetch: async (_url, init) => {
      authorization = new Headers(init.headers).get("authorization");
      return new Response();
    },
  });
  await signed(`https://example.amazonaws.com${target}`, { method });
  expect(authorization).toBe(
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
  );
});

describe("service and region", () => {
  test.each([
    ["abc123.execute-api.eu-central-1.amazonaws.com", "execute-api", "eu-central-1"],
    ["abc123-vpce-0a1b.execute-api.us-gov-west-1.amazonaws.com", "execute-api", "us-gov-west-1"],
    ["abc123.execute-api.cn-north-1.amazonaws.com.cn", "execute-api", "cn-north-1"],
    ["ABC.lambda-url.ap-southeast-2.on.aws", "lambda", "ap-southeast-2"],
  ])("of %s", (host, service, region) => expect(scopeOfHost(host)).toEqual({ service, region }));

  test.each([
    "events.example.com",
    "127.0.0.1:4566",
    "execute-api.eu-central-1.amazonaws.com.evil.example",
    "s3.eu-central-1.amazonaws.com",
  ])("%s does not say", (host) => expect(scopeOfHost(host)).toBeUndefined());
});
