package v1alpha1

// Condition types. Ready, Reconciling and Stalled follow kstatus; the others speak about the rollout itself.
const (
	// ConditionReady is True when the object is valid, everything it refers to exists and its machinery works.
	// On a rollout it does not mean "finished": a rollout that is half-way and well is Ready.
	ConditionReady = "Ready"
	// ConditionStalled is present, and True, only when nothing will change until a person changes an object. The message says which.
	ConditionStalled = "Stalled"
	// ConditionProgressing is True while sites can move. When False, the reason says what everything waits for.
	ConditionProgressing = "Progressing"
	// ConditionGatePassed tells the verdict of the gate that a site stands at: True is Pass, False is Fail, Unknown is Wait.
	ConditionGatePassed = "GatePassed"
	// ConditionHeld is True when a site does not go on: it failed its exit gate, and stays until the numbers recover; its attempt failed; or it was rolled back.
	ConditionHeld = "Held"
	// ConditionCompleted is True when a site has passed every phase, or every site of a rollout has.
	ConditionCompleted = "Completed"
	// ConditionOpen is True when a calendar is open in all of its time zones, False when it is open in none, Unknown otherwise.
	ConditionOpen = "Open"
	// ConditionEffective tells what became of a decision: True when it counts or has had its effect, False when it does not count, Unknown while it may still come to count.
	ConditionEffective = "Effective"
)

// AnnotationRequestedAt asks the operator to look at a CRMRollout and its sites, or to measure a KPI, now: whenever its value changes. Status.lastHandledReconcileAt repeats
// the value when that has happened. Of a longer value than MaxRequest bytes only the beginning counts.
const AnnotationRequestedAt = "rollout.crmops.dev/requestedAt"

// Reasons of Ready, and of Stalled when Ready is False for good.
const (
	// ReasonValid: the object is well-formed and everything it refers to exists.
	ReasonValid = "Valid"
	// ReasonReferenceNotFound: the object names another object that does not exist in the namespace.
	ReasonReferenceNotFound = "ReferenceNotFound"
	// ReasonInvalidSpec: a field holds a value that cannot work. The message names the field and the remedy.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonPlanInvalid: a rollout cannot be resolved into a plan, in whole or for the phase of this site.
	ReasonPlanInvalid = "PlanInvalid"
	// ReasonWriteFailed: the API server refused or failed a write that the plan needs: for a quota or an admission policy, for example.
	ReasonWriteFailed = "WriteFailed"
	// ReasonSecretNotFound: a secret, or the key in it, that a provider names is missing.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretUnreadable: the API server does not let the operator read a secret that a provider names, or cannot answer now.
	ReasonSecretUnreadable = "SecretUnreadable"
	// ReasonProviderNotReady: the KPI's provider exists but cannot be used; its own Ready condition says why.
	ReasonProviderNotReady = "ProviderNotReady"
	// ReasonSourceBusy: for a whole interval, other KPIs of the provider or of the namespace were being measured, so that this one was not.
	ReasonSourceBusy = "SourceBusy"
	// ReasonMeasured: the KPI's last measurement succeeded for every site that the source knows.
	ReasonMeasured = "Measured"
	// ReasonNoData: the source answered without a value for any site of the namespace.
	ReasonNoData = "NoData"
	// ReasonAmbiguousAnswer: the source gave more than one value for a site, or values without the site label. Those values are not used.
	ReasonAmbiguousAnswer = "AmbiguousAnswer"
	// ReasonReadingFuture: a reading says that its value was observed after the reading was created. It never counts.
	ReasonReadingFuture = "ReadingFuture"
	// ReasonReadingLate: a reading was created longer after the observation than its provider accepts. It does not count.
	ReasonReadingLate = "ReadingLate"
	// ReasonReadingContradicted: another reading has another value for the same KPI, site and moment, and the KPI asks for the latest one. Neither counts.
	ReasonReadingContradicted = "ReadingContradicted"
)

// Reasons of a site's state, also of its conditions Progressing, Held and Completed.
const (
	// ReasonWaitingForWave: an earlier wave has not completed.
	ReasonWaitingForWave = "WaitingForWave"
	// ReasonWaitingForSlot: maxConcurrent sites are already in flight.
	ReasonWaitingForSlot = "WaitingForSlot"
	// ReasonWaitingForRanking: the sites of the wave are ranked when every KPI of the ranking has been measured.
	ReasonWaitingForRanking = "WaitingForRanking"
	// ReasonWaitingForCalendar: a calendar is closed. The message says which, and when it opens.
	ReasonWaitingForCalendar = "WaitingForCalendar"
	// ReasonTooManyFailures: more sites are failed than maxFailures of the wave or of the rollout allows, so no further site begins.
	ReasonTooManyFailures = "TooManyFailures"
	// ReasonAborted: a phase whose onFailure is Abort failed at a site, so no site starts a phase until a decision.
	ReasonAborted = "Aborted"
	// ReasonThroughReached: the site has passed every phase up to spec.through of its rollout.
	ReasonThroughReached = "ThroughReached"
	// ReasonSuspended: the rollout is suspended.
	ReasonSuspended = "Suspended"
	// ReasonSiteNotFound: the RolloutSite was deleted after its rollout began.
	ReasonSiteNotFound = "SiteNotFound"
	// ReasonNotInWave: no wave of the rollout selects the site any more.
	ReasonNotInWave = "NotInWave"
	// ReasonEntryGateFailed: the site does not meet the entry gate of its next phase.
	ReasonEntryGateFailed = "EntryGateFailed"
	// ReasonEntryGateWaiting: the entry gate cannot be judged yet, or a criterion has not been met for long enough.
	ReasonEntryGateWaiting = "EntryGateWaiting"
	// ReasonSoaking: the phase runs and its soak time is not over.
	ReasonSoaking = "Soaking"
	// ReasonExitGateWaiting: the soak is over and the exit gate cannot be judged yet, or a criterion has not been met for long enough.
	ReasonExitGateWaiting = "ExitGateWaiting"
	// ReasonExitGateFailed: the soak is over and a criterion of the exit gate is not met.
	ReasonExitGateFailed = "ExitGateFailed"
	// ReasonBaselineMissing: a baseline that the phase declares could not be taken yet, so the phase does not start.
	ReasonBaselineMissing = "BaselineMissing"
	// ReasonGuardrailBroken: a guardrail stayed broken for its time and failed the attempt. Another begins when all guardrails are kept again, up to maxAttempts of the phase.
	ReasonGuardrailBroken = "GuardrailBroken"
	// ReasonDeadlineExceeded: the phase was not passed by its deadline, which failed the attempt.
	ReasonDeadlineExceeded = "DeadlineExceeded"
	// ReasonRejected: a decision rejected the attempt.
	ReasonRejected = "Rejected"
	// ReasonRolledBack: the site was rolled back out of the phase, after a failed attempt or by a decision.
	ReasonRolledBack = "RolledBack"
	// ReasonWaitingForApproval: every criterion of the gate has passed, and sign-offs are missing.
	ReasonWaitingForApproval = "WaitingForApproval"
	// ReasonRetried: a decision lets a site that was rolled back begin the phase again, when it is admitted (reason of a transition).
	ReasonRetried = "Retried"
	// ReasonPhaseWaived: the site passed the phase, because a decision waived its exit gate (reason of a transition).
	ReasonPhaseWaived = "PhaseWaived"
	// ReasonPhaseSkipped: a decision let the site go on without the phase (reason of a transition).
	ReasonPhaseSkipped = "PhaseSkipped"
	// ReasonRegressed: the site, or some site of the rollout, has passed every phase and no longer meets the gate of sustain.
	ReasonRegressed = "Regressed"
	// ReasonPhaseReopened: a regression, or a decision after a rollback, lets the site begin a phase anew when it is admitted to it (reason of a transition).
	ReasonPhaseReopened = "PhaseReopened"
	// ReasonAttemptStarted: the site began another attempt at a phase (reason of a transition).
	ReasonAttemptStarted = "AttemptStarted"
	// ReasonPhaseStarted: the site began a phase (reason of a transition).
	ReasonPhaseStarted = "PhaseStarted"
	// ReasonPhasePassed: the site's exit gate passed (reason of a transition).
	ReasonPhasePassed = "PhasePassed"
	// ReasonCreated: the site joined the rollout (reason of a transition).
	ReasonCreated = "Created"
	// ReasonRecovered: a held site meets its criteria again (reason of a transition).
	ReasonRecovered = "Recovered"
	// ReasonPhaseAdded: the plan gained a phase that a completed site has not passed (reason of a transition).
	ReasonPhaseAdded = "PhaseAdded"
	// ReasonPhaseResumed: a phase that had been taken out of the plan while it ran is back in it and goes on (reason of a transition).
	ReasonPhaseResumed = "PhaseResumed"
	// ReasonAllPhasesPassed: nothing is left to do.
	ReasonAllPhasesPassed = "AllPhasesPassed"
)

// Reasons of a rollout's Progressing condition, besides those of sites.
const (
	// ReasonSitesMoving: at least one site is in flight and none is held.
	ReasonSitesMoving = "SitesMoving"
	// ReasonSitesHeld: at least one site is held at a gate. Other sites may still move.
	ReasonSitesHeld = "SitesHeld"
	// ReasonSitesWaiting: no site is in a phase; sites wait for an entry gate, a wave or to be admitted.
	ReasonSitesWaiting = "SitesWaiting"
	// ReasonNoSites: no wave selects a site. On a calendar: there is no site that it is for, so it has no time zone.
	ReasonNoSites = "NoSites"
)

// Reasons of a decision's Effective condition.
const (
	// ReasonPending: Unknown. The site has not come to the phase and attempt that the decision names, or has not been looked at since.
	ReasonPending = "Pending"
	// ReasonCounted: True. The decision counts, and has its effect when the rest is there: the criteria, the other approvals, the end of the soak, or the next attempt.
	ReasonCounted = "Counted"
	// ReasonApplied: True. The decision has had its effect; the transition that it caused names it.
	ReasonApplied = "Applied"
	// ReasonExpired: False. The decision expired before it had an effect.
	ReasonExpired = "Expired"
	// ReasonVoid: False. New failing evidence came after the approval, or the gate asks for something else since.
	ReasonVoid = "Void"
	// ReasonOtherEvidence: False. The digest that the approval names is not that of the evidence as it was when the approval came.
	ReasonOtherEvidence = "OtherEvidence"
	// ReasonOtherAttempt: False. The site has gone on: the decision names an attempt that is over.
	ReasonOtherAttempt = "OtherAttempt"
	// ReasonCountedAlready: False. The same person has approved in this role already or, with fourEyes, in another.
	ReasonCountedAlready = "CountedAlready"
	// ReasonNotNeeded: False. The gate asks for no approval in this role, or for no further one, or the action does nothing where the site stands.
	ReasonNotNeeded = "NotNeeded"
	// ReasonPolicyMissing: Unknown. The admission policy that enforces who may decide is not there or does not deny, so no decision counts. False: it was not there yet
	// when the decision was made, so nobody checked who made it.
	ReasonPolicyMissing = "PolicyMissing"
)

// Reasons of events about dates. They mark no condition: nothing waits for a date.
const (
	// ReasonWaveLate: a wave has ended, or is expected to end, later than planned, or has not begun though it was to.
	ReasonWaveLate = "WaveLate"
	// ReasonPhaseLate: the same of a phase in a wave that is in time as a whole, or was late already.
	ReasonPhaseLate = "PhaseLate"
)

// Reasons of a calendar's Open condition.
const (
	// ReasonOpen: True. Sites may start a phase, in all time zones.
	ReasonOpen = "Open"
	// ReasonClosed: False. Sites may start no phase, in any time zone.
	ReasonClosed = "Closed"
	// ReasonOpenSomewhere: Unknown. Sites of some time zones may start a phase.
	ReasonOpenSomewhere = "OpenSomewhere"
)

// Reasons of a criterion's verdict.
const (
	// ReasonMet: Pass. The criterion is met, and has been for its `for`.
	ReasonMet = "Met"
	// ReasonHolding: Wait. The criterion is met but not yet for its `for`.
	ReasonHolding = "Holding"
	// ReasonNotMet: Fail. The latest value misses the threshold.
	ReasonNotMet = "NotMet"
	// ReasonSampleMissing: Wait. The latest measurement has no value for the site.
	ReasonSampleMissing = "SampleMissing"
	// ReasonStale: Wait. The latest value is older than the KPI's staleAfter.
	ReasonStale = "Stale"
	// ReasonNotANumber: Wait. The source answered NaN, an infinity, or a number of more than 31 digits.
	ReasonNotANumber = "NotANumber"
	// ReasonAmbiguous: Wait. The source gave more than one value for the site.
	ReasonAmbiguous = "Ambiguous"
	// ReasonSourceFailed: Wait. The latest measurement failed; the KPI's Ready condition has the source's error.
	ReasonSourceFailed = "SourceFailed"
	// ReasonTooFewSamples: Wait. Fewer observations are behind the latest value than minSamples asks for, or the source does not tell how many.
	ReasonTooFewSamples = "TooFewSamples"
	// ReasonNoBaseline: Wait. The site has no baseline of the KPI, or one of another revision of the KPI or under another siteID.
	ReasonNoBaseline = "NoBaseline"
	// ReasonIncomparable: Wait. The numbers cannot be compared as asked: a percentage of zero, or a ratio of numbers that are not greater than zero.
	ReasonIncomparable = "Incomparable"
	// ReasonTooFewControls: Wait. The control group has fewer sites with values than minSites.
	ReasonTooFewControls = "TooFewControls"
	// ReasonPreTrendBroken: Wait. The site and its control group moved differently before the change already, or nobody knows whether they did.
	ReasonPreTrendBroken = "PreTrendBroken"
	// ReasonInconclusive: Wait. The confidence interval of the effect contains good values and bad ones.
	ReasonInconclusive = "Inconclusive"
	// ReasonException: Wait. The latest measurement is outside of the tolerance, as one of the exceptions that are allowed.
	ReasonException = "Exception"
	// ReasonKept: Pass. The guardrail is kept.
	ReasonKept = "Kept"
	// ReasonBreaking: Wait. The guardrail is broken, but not yet for its `for`.
	ReasonBreaking = "Breaking"
	// ReasonBroken: Fail. The guardrail has been broken for its `for`.
	ReasonBroken = "Broken"
	// ReasonEvidenceTooEarly: Wait. The window of the latest value began before the attempt.
	ReasonEvidenceTooEarly = "EvidenceTooEarly"
)
