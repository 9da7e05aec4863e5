package main

// rowName is a row by name.
type rowName struct {
	model string
	mib   int64
}

// figures are means in seconds for 5, 10, 15, 20 and 50 nodes; 0 where there is none.
type figures struct{ kpath, greedy, random [5]float64 }

// published are the figures of the authors' published tables for 20 classes: the
// means of 50 networks, others for each algorithm.
var published = map[rowName]figures{
	{"ResNet50", 64}: {
		[5]float64{2.404, 1.888, 1.652, 1.535, 1.307},
		[5]float64{2.449, 1.909, 1.649, 1.550, 1.313},
		[5]float64{6.90, 7.26, 7.01, 7.85, 7.97}},
	{"ResNet50", 128}: {
		[5]float64{.970, .764, .664, .630, .532},
		[5]float64{.944, .738, .666, .625, .536},
		[5]float64{4.52, 4.40, 4.54, 5.37, 4.25}},
	{"InceptionResNetV2", 64}: {
		[5]float64{0, 2.288, 1.924, 1.832, 1.519},
		[5]float64{0, 2.088, 1.824, 1.684, 1.383},
		[5]float64{0, 10.12, 9.76, 10.39, 10.86}},
	{"InceptionResNetV2", 128}: {
		[5]float64{2.556, 1.956, 1.693, 1.589, 1.335},
		[5]float64{2.494, 1.825, 1.590, 1.516, 1.244},
		[5]float64{9.32, 8.14, 7.96, 8.54, 7.83}},
	{"InceptionResNetV2", 256}: {
		[5]float64{1.453, 1.177, 1.058, .983, .820},
		[5]float64{1.497, 1.181, 1.043, 1.002, .826},
		[5]float64{5.42, 6.50, 5.89, 5.73, 5.41}},
	{"MobileNetV2", 64}: {
		[5]float64{.0577, .0478, .0423, .0392, .0326},
		[5]float64{.0586, .0461, .0410, .0390, .0331},
		[5]float64{2.44, 1.54, 2.18, 2.34, 2.20}},
	{"EfficientNetB1", 64}: {
		[5]float64{.430, .324, .287, .268, .225},
		[5]float64{.404, .325, .289, .270, .227},
		[5]float64{4.13, 3.96, 3.85, 4.94, 4.70}},
	{"EfficientNetB1", 128}: {
		[5]float64{.0852, .0668, .0584, .0574, .0477},
		[5]float64{.0836, .0692, .0593, .0542, .0476},
		[5]float64{2.84, 2.45, 2.18, 2.09, 2.61}},
}

// What the abstract claims.
const (
	claimedOverRandom  = 10.0  // times the bottleneck of k-path matching
	claimedBelowGreedy = 0.35  // of the bottleneck of the greedy baseline
	claimedOffOptimal  = 0.092 // of the optimal bottleneck, as the paper defines it
)
