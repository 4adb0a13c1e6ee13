/**
 * A CDK app of your own with an event log in it, and a function that may write to it. `cdk synth --app "node app.ts"`.
 * With the package installed, `../../lib/cloud/index.ts` is `brokerless/cloud`.
 */
import { App, Stack } from "aws-cdk-lib";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EventLog } from "../../lib/cloud/index.ts";

/** `bundles`: only for a checkout in which the functions have not been bundled. */
export function shopApp(app: App = new App(), bundles?: string): Stack {
  const stack = new Stack(app, "Shop");
  const pager = new Topic(stack, "Pager", { enforceSSL: true });

  const events = new EventLog(stack, "Events", {
    throttle: { ratePerSecond: 200, burst: 400 },
    logRetention: RetentionDays.THREE_MONTHS,
    alarmActions: [new SnsAction(pager)],
    ...(bundles === undefined ? {} : { bundles }),
  });

  const checkout = new LambdaFunction(stack, "Checkout", {
    runtime: Runtime.NODEJS_24_X,
    handler: "index.handler",
    code: Code.fromInline("exports.handler = async () => process.env.EVENTS_URL;"),
    environment: { EVENTS_URL: events.apiUrl },
  });
  events.grantCall(checkout);
  return stack;
}

if (import.meta.main) shopApp();
