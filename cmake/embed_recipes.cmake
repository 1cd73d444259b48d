# Compiles recipes/*.yaml into a library: writes a .cpp into the build folder that defines mgd::builtin_recipes().
# The program then needs no file of the source tree when it runs.
function(mgd_embed_recipes target)
  file(GLOB recipes CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/recipes/*.yaml")
  list(SORT recipes)
  set(rows "")
  foreach(recipe ${recipes})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${recipe}")
    get_filename_component(name "${recipe}" NAME_WE)
    file(READ "${recipe}" text)
    string(APPEND rows "    {\"${name}\", R\"recipe(${text})recipe\"},\n")
  endforeach()
  # configure_file rewrites the output only when it changes; @ONLY leaves the recipes' own text alone.
  set(MGD_RECIPE_ROWS "${rows}")
  set(generated "${PROJECT_BINARY_DIR}/generated/builtin_recipes.cpp")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/builtin_recipes.cpp.in" "${generated}" @ONLY)
  target_sources(${target} PRIVATE "${generated}")
endfunction()
