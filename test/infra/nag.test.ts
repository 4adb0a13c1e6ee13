/** cdk-nag's AwsSolutions rules hold, or say why not: a rule that is broken without a reason fails the synthesis. */
import { App, Stack, Validations } from "aws-cdk-lib";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, test } from "vitest";
import type { EventLogProps } from "../../lib/cloud/index.ts";
import { makeLog } from "./support/synth.ts";

const JWT = { type: "jwt", issuer: "https://issuer.example", audience: ["events"] } as const;
const OPEN = { type: "none", insecure: true } as const;

describe("cdk-nag", () => {
  test.each<[string, EventLogProps]>([
    ["production", {}],
    ["production, JWT, browsers", { authorization: JWT, corsOrigins: ["https://app.example"] }],
    ["dev, open", { dev: true, authorization: OPEN }],
    ["production, tokens", { authorization: { type: "token" } }],
    ["LocalStack, tokens", { api: "rest", dashboard: false, authorization: { type: "token" } }],
    ["LocalStack", { api: "rest", dashboard: false }],
    ["LocalStack, dev, open", { api: "rest", dashboard: false, dev: true, authorization: OPEN }],
  ])("finds nothing to say about %s", (_, props) => {
    const { app } = makeLog(props);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).not.toThrow();
  });

  test("would find a bucket that is open to plain HTTP", () => {
    const app = new App({ analyticsReporting: false });
    new Bucket(new Stack(app, "Bad"), "Bucket");
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).toThrow();
  });
});
