/** The example of somebody's own CDK app. */
import { Template } from "aws-cdk-lib/assertions";
import { expect, test } from "vitest";
import { shopApp } from "../../examples/cdk-app/app.ts";
import { BUNDLES, makeApp } from "./support/synth.ts";

test("somebody's own app has a log with three months of logs, an alarm that pages, and a function that may call", () => {
  const template = Template.fromStack(shopApp(makeApp(), BUNDLES));
  template.hasResourceProperties("AWS::Logs::LogGroup", { RetentionInDays: 90 });
  const composite = Object.values(template.findResources("AWS::CloudWatch::CompositeAlarm"));
  const within = JSON.stringify(composite.map(({ Properties }) => Properties.AlarmRule));
  for (const { Properties } of composite) expect(Properties.AlarmActions).toHaveLength(1);
  for (const [id, { Properties }] of Object.entries(template.findResources("AWS::CloudWatch::Alarm")))
    if (!within.includes(id)) expect(Properties.AlarmActions, id).toHaveLength(1);
  const policies = JSON.stringify(template.findResources("AWS::IAM::Policy"));
  expect(policies).toContain("execute-api:Invoke");
});
