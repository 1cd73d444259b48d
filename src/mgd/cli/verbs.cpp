#include "mgd/cli/verbs.h"

namespace mgd {

std::vector<Verb> all_verbs() {
  return {distill_verb(), train_verb(),  eval_verb(),      predict_verb(),  inspect_verb(),
          compare_verb(), export_verb(), fill_mask_verb(), generate_verb(), tokenize_verb(),
          config_verb(),  doctor_verb(), bench_verb(),     demo_verb()};
}

}  // namespace mgd
