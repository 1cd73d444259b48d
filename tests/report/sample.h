// A report with every section filled, for the tests and for looking at.
#pragma once

#include "mgd/report/report.h"

namespace mgd {

ReportData sample_report();

}  // namespace mgd
