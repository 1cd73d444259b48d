// `mgd train DATA --from MODEL` and `mgd distill DATA --teacher MODEL`: runs without a recipe of the user's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgd/cli/propose.h"
#include "mgd/front/recipe_flags.h"

namespace mgd {

// What a command line without a recipe asks for; nothing where it names a recipe. `model_dir` tells the verb.
// Throws Error(usage) for flags that go with data only beside a recipe, and for data without the model that
// the verb needs.
std::optional<ProposalRequest> proposal_request(const std::vector<std::string>& args,
                                                const RecipeFlags& flags, const std::string& model_dir);

// A teacher with other classes than the data is fine-tuned first, into RUN/teacher, unless that is there
// already.
int run_proposed(const ProposalRequest& request, const std::vector<std::string>& overrides,
                 const RecipeFlags& flags, const std::string& model_dir);

}  // namespace mgd
