#include "mgd/model/architectures.h"

#include "mgd/core/error.h"
#include "mgd/model/input_habit.h"

namespace mgd {

namespace {

using Family = std::span<const Architecture> (*)();

constexpr Family kFamilies[] = {
    cifar_resnets,            //
    projected_cifar_resnets,  //
    wide_resnets,             //
    resnets,                  //
    regnets,                  //
    vggs,                     //
    densenets,                //
    shufflenets_v2,           //
    convnexts,                //
    mobilenets_v2,            //
    mobilenets_v3,            //
    efficientnets,            //
    ghostnets,                //
};

}  // namespace

std::span<const Family> families() {
  return kFamilies;
}

const Architecture* find_architecture(std::string_view name) {
  for (const Family family : kFamilies)
    for (const Architecture& architecture : family())
      if (architecture.name == name) return &architecture;
  return is_wide_resnet_name(name) ? wide_resnets().data() : nullptr;
}

InputHabit input_habit(std::string_view name) {
  const Architecture* architecture = find_architecture(name);
  if (architecture == nullptr)
    fail(ExitCode::usage, "model: got '{}'{}", name, suggestion(name, known_models()));
  const Habit& habit = architecture->habit;
  InputHabit wanted{.height = habit.side,
                    .width = habit.side,
                    .crop_pct = habit.crop_pct,
                    .interpolation = std::string(habit.interpolation),
                    .mean = {0.485, 0.456, 0.406},
                    .std = {0.229, 0.224, 0.225}};
  if (habit.levels == Levels::half) wanted.mean = wanted.std = {0.5, 0.5, 0.5};
  return wanted;
}

}  // namespace mgd
