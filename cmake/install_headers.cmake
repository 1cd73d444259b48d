# Run by `cmake --install`, with SOURCE: the headers that a program may include, and what those include in turn. Others are free to
# change from one version to the next, and stay at home. docs/library.md tells of them.
cmake_minimum_required(VERSION 3.25)
set(open
  mgd.h
  core/error.h core/philox.h core/publish.h
  format/config.h format/text_config.h text/tokenizer.h
  types/batch.h
  ops/allocator.h ops/batch_norm.h ops/conv3x3.h ops/dense.h ops/masked_attention.h ops/masked_conv.h
  ops/masked_cross_entropy.h ops/softmax_kl.h ops/squared_distance.h
  nn/autocast.h nn/conv_norm.h nn/device.h nn/layers.h nn/map_layers.h nn/text_layers.h
  mask/objective.h mask/sampler.h
  loss/entry.h loss/loss.h
  model/block.h model/image_model.h model/text_model.h
  io/model_folder.h io/text_folder.h io/weights.h
  data/dataset.h data/loader.h data/own_pictures.h
  eval/classify.h eval/summary.h eval/text_eval.h eval/text_folder.h
  generate/fill_mask.h generate/generate.h generate/generate_text.h
  export/image_graph.h export/onnx_file.h
  train/checkpoint.h train/finish.h train/run_folder.h train/trainer.h
  task/host.h task/open_model.h task/picture_rules.h task/task.h task/text_models.h
  report/collect.h report/report.h
  run/run_config.h)
list(TRANSFORM open PREPEND mgd/)
set(found "")
while(open)
  list(POP_FRONT open header)
  if(header IN_LIST found)
    continue()
  endif()
  list(APPEND found ${header})
  file(STRINGS "${SOURCE}/${header}" lines REGEX "^#include \"mgd/")
  list(TRANSFORM lines REPLACE "^#include \"([^\"]+)\".*" "\\1")
  list(APPEND open ${lines})
endwhile()
foreach(header ${found})
  cmake_path(GET header PARENT_PATH folder)
  file(INSTALL "${SOURCE}/${header}" DESTINATION "${DESTINATION}/${folder}")
endforeach()
list(LENGTH found count)
message(STATUS "${count} headers")
