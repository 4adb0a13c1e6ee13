/** What starts the jobs: EventBridge Scheduler, or a rule where that does not fire. */
import { Duration } from "aws-cdk-lib";
import { Rule, Schedule as RuleSchedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction as RuleTarget } from "aws-cdk-lib/aws-events-targets";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Schedule, ScheduleExpression } from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";
import { acknowledge } from "./acknowledge.ts";
import type { LogFunction } from "./functions.ts";

/** Starts it again and again. A call that fails is not repeated: the next one does its work. */
export function startEvery(job: LogFunction, every: Duration, by: "schedule" | "rule"): void {
  if (by === "rule") {
    new Rule(job, "Rule", { schedule: RuleSchedule.rate(every), targets: [new RuleTarget(job.lambda, { retryAttempts: 0 })] });
    return;
  }
  const role = new Role(job, "ScheduleRole", { assumedBy: new ServicePrincipal("scheduler.amazonaws.com") });
  new Schedule(job, "Schedule", {
    schedule: ScheduleExpression.rate(every),
    target: new LambdaInvoke(job.lambda, { role, retryAttempts: 0, maxEventAge: Duration.minutes(1) }),
  });
  acknowledge(role, {
    id: `AwsSolutions-IAM5[Resource::<${job.lambdaId()}.Arn>:*]`,
    reason: "Versions and aliases of the one function that the schedule starts.",
  });
}
