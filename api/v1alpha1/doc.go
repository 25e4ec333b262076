// Package v1alpha1 is the API of the CRM rollout operator, group rollout.crmops.dev.
//
// Conventions that hold for every kind:
//   - `Ready` says that an object is valid and that its machinery works. It never says that a rollout is finished.
//   - Decimals are strings, because a float changes on its way through JSON; see [Decimal].
//   - Durations are strings with weeks and days; see [Duration].
//   - The operator sets no defaults in a spec. What an unset field means stands in the field's comment.
//   - Every object refers only to objects in its own namespace.
//
// +kubebuilder:object:generate=true
// +groupName=rollout.crmops.dev
package v1alpha1
