package v1alpha1

// ReadingsProvider takes its numbers from the KPIReadings in its namespace: values that people and jobs enter, such as survey results.
//
// The query of a KPI with such a provider is one word. "latest" is the newest reading of each site: without a window the newest ever, dated with its own
// observation time, with a window the newest in it. "mean" is the mean of the readings in the window, which then must be set; they are weighted with their
// samples when all of them tell these.
type ReadingsProvider struct {
	// acceptWithin is the longest time from the observation of a value to the moment that its reading is created; later ones never count. Unset: 30d.
	//
	// +optional
	AcceptWithin Duration `json:"acceptWithin,omitempty"`
}
