// `mgd distill --static TEACHER --out FOLDER`: a static model, without recipe and training.
#pragma once

#include <string>
#include <vector>

#include "mgd/front/recipe_flags.h"
#include "mgd/teach/distill_static.h"

namespace mgd {

struct StaticFlags {
  std::string teacher, out;  // --static, --out
  StaticOptions options;
  void visit(OptionVisitor& v);

  bool given() const { return !teacher.empty(); }
  // Error(usage) for one of these flags without --static, to which they belong.
  void refuse_alone() const;
};

// Error(usage) for arguments and flags of a recipe; Error(cannot_create) where something else than a static
// model stands at --out, or one without --overwrite.
int run_distill_static(const std::vector<std::string>& args, const StaticFlags& flags,
                       const RecipeFlags& recipe);

}  // namespace mgd
