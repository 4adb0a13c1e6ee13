/** Rules of cdk-nag that do not hold on purpose, each with its reason, for whoever runs them over an app of theirs. */
import { type Acknowledgment, Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

export function acknowledge(construct: IConstruct, ...rules: readonly Acknowledgment[]): void {
  Validations.of(construct).acknowledge(...rules);
}
