#include "mgd/cli/verbs.h"

#include "mgd/front/config_verb.h"

namespace mgd {

std::vector<Verb> all_verbs() {
  return {distill_verb(), train_verb(),  eval_verb(),  predict_verb(),   inspect_verb(),  compare_verb(),
          export_verb(),  answer_verb(), probe_verb(), fill_mask_verb(), generate_verb(), tokenize_verb(),
          config_verb(),  doctor_verb(), bench_verb(), demo_verb()};
}

}  // namespace mgd
